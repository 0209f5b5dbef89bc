package pawlbridge

import (
	"bytes"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// lines is a log.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) has(part string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.text.String(), part)
}

// with has a bridge begin with a configuration, and returns it, somebody and their room.
func (w *world) with(set func(*bridgeconfig.Config)) (*bridge, *person, id.RoomID) {
	w.Helper()
	w.config = set
	b := w.start()
	p := w.person(carol, "LAPTOP")
	return b, p, b.room(p)
}

// again starts a bridge again, as it is configured now.
func (b *bridge) again() *bridge {
	b.Helper()
	b.stop()
	return b.world.start()
}

// event is one of a room, as the server has it.
func (b *bridge) event(room id.RoomID, name id.EventID) *event.Event {
	b.Helper()
	e, err := b.connector.Crypto.Client().GetEvent(b.Context(), room, name)
	if err != nil {
		b.Fatal(err)
	}
	e.Type.Class = event.MessageEventType
	if err := e.Content.ParseRaw(e.Type); err != nil && !errors.Is(err, event.ErrContentAlreadyParsed) {
		b.Fatal(err)
	}
	return e
}

func (b *bridge) sessionOf(room id.RoomID, name id.EventID) id.SessionID {
	b.Helper()
	return b.event(room, name).Content.AsEncrypted().SessionID
}

// readable fails the test unless an event can be read, or cannot since its key is given up.
func (b *bridge) readable(what string, room id.RoomID, name id.EventID, want bool) {
	b.Helper()
	_, err := b.connector.Crypto.Decrypt(b.Context(), b.event(room, name))
	if want && err != nil || !want && !errors.Is(err, group.ErrForgotten) && !errors.Is(err, group.ErrTooEarly) {
		b.Errorf("%s can be read: want %v, is %v", what, want, err)
	}
}

// forgets waits until an event cannot be read any more.
func (b *bridge) forgets(p *person, what string, room id.RoomID, name id.EventID) {
	b.Helper()
	e := b.event(room, name)
	p.awaits("the end of "+what, func() bool {
		b.push()
		_, err := b.connector.Crypto.Decrypt(b.Context(), e)
		return errors.Is(err, group.ErrForgotten)
	})
}

func (b *bridge) olm() *crypto.OlmMachine {
	b.Helper()
	h, err := b.crypto().helper()
	if err != nil {
		b.Fatal(err)
	}
	return h.Machine()
}

// rotates makes somebody send in another session.
func (p *person) rotates(room id.RoomID) {
	p.Helper()
	if err := p.helper.Machine().CryptoStore.RemoveOutboundGroupSession(p.Context(), room); err != nil {
		p.Fatal(err)
	}
}

// withheld waits for a notice that a key is withheld.
func (p *person) withheld(code event.RoomKeyWithheldCode) {
	p.Helper()
	p.awaits(string(code), func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		return slices.ContainsFunc(p.failed, func(err error) bool { return errors.Is(err, &event.RoomKeyWithheldEventContent{Code: code}) })
	})
}

// both runs a test with a switch off and on.
func both(set func(c *bridgeconfig.EncryptionConfig, on bool), test func(w *world, on bool, config func(*bridgeconfig.Config))) func(*testing.T) {
	return func(t *testing.T) {
		for _, on := range []bool{false, true} {
			test(newWorld(t), on, func(c *bridgeconfig.Config) { set(&c.Encryption, on) })
		}
	}
}

// ages changes when a session's key came, and starts the bridge again.
func (b *bridge) ages(p *person, room id.RoomID, name id.EventID, to time.Time) *bridge {
	b.Helper()
	session := b.sessionOf(room, name)
	b.push()
	igs, err := b.olm().CryptoStore.GetGroupSession(b.Context(), room, session)
	if err != nil || igs == nil {
		b.Fatalf("the session is %v, %v", igs, err)
	}
	igs.ReceivedAt = to
	if err := b.olm().CryptoStore.PutGroupSession(b.Context(), igs); err != nil {
		b.Fatal(err)
	}
	return b.again()
}

// shows shows of each field of bridgeconfig.EncryptionConfig that it is honoured.
var shows = map[string]func(*testing.T){
	"Allow": func(t *testing.T) {
		w := newWorld(t)
		w.config = func(c *bridgeconfig.Config) { c.Encryption.Allow = false }
		if c := w.open().connector.Crypto; c != nil {
			t.Errorf("there is %T", c)
		}
	},
	"Default": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.Default = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		w.config = set
		b := w.start()
		room, err := b.Bot.CreateRoom(w.Context(), &mautrix.ReqCreateRoom{Preset: "private_chat"})
		if err != nil {
			w.Fatal(err)
		}
		b.push()
		if got := b.event(room, b.say(room, "hello")).Type == event.EventEncrypted; got != on {
			w.Errorf("%v: the first event is encrypted: %v", on, got)
		}
	}),
	"Require": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.Require = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(func(c *bridgeconfig.Config) { set(c); c.Matrix.MessageErrorNotices = true })
		if _, err := p.client.SendMessageEvent(w.Context(), room, event.EventMessage, &event.MessageEventContent{MsgType: event.MsgText, Body: "plain"}, mautrix.ReqSendEvent{DontEncrypt: true}); err != nil {
			w.Fatal(err)
		}
		p.say(room, "encrypted")
		b.reads("encrypted")
		if on {
			p.awaits("that it is refused", func() bool { return p.heard("the message is not encrypted") })
		} else if p.heard("not encrypted") {
			w.Error("it is refused")
		}
	}),
	"Appservice": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.Appservice = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		p.say(room, "hello")
		b.reads("hello")
		w.s.Fail(hs.Fault{Endpoint: "sync", User: matrix.UserID(bridgeBot), Do: hs.Effect{Status: 500}})
		p.rotates(room)
		p.say(room, "while nothing is synced")
		if on { // syncs bring only what transactions leave out
			b.reads("while nothing is synced")
		}
	}),
	"MSC4190": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.MSC4190 = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		w.config = set
		w.start()
		made, logins := len(w.s.Exchanges("devices")), 0
		for _, e := range w.s.Exchanges("login") {
			if e.Method == "POST" {
				logins++
			}
		}
		if made > 0 != on || logins > 0 == on {
			w.Errorf("%v: %d devices made, %d logins", on, made, logins)
		}
	}),
	"MSC4392": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.MSC4392 = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		content := &event.ReactionEventContent{RelatesTo: event.RelatesTo{Type: event.RelAnnotation, EventID: p.say(room, "hello"), Key: "k"}}
		sent, err := b.Bot.SendMessage(w.Context(), room, event.EventReaction, &event.Content{Parsed: content}, nil)
		if err != nil {
			w.Fatal(err)
		}
		e := b.event(room, sent.EventID)
		if (e.Type == event.EventEncrypted) != on || on && e.Content.AsEncrypted().RelatesTo != nil {
			w.Errorf("%v: the reaction is %s %s", on, e.Type.Type, e.Content.VeryRaw)
		}
	}),
	"SelfSign": func(t *testing.T) {
		w := newWorld(t)
		w.config = func(c *bridgeconfig.Config) { c.Encryption.SelfSign = true }
		signed := func(b *bridge, what string) {
			t.Helper()
			if has, is, err := b.olm().GetOwnVerificationStatus(t.Context()); err != nil || !has || !is {
				t.Errorf("%s: has keys %v, is signed %v, %v", what, has, is, err)
			}
		}
		b := w.start()
		signed(b, "at first")
		key := b.DB.KV.Get(t.Context(), database.KeyRecoveryKey)
		if len(key) < 40 {
			t.Fatalf("no recovery key in kv_store: %d characters", len(key))
		}
		if err := b.crypto().Reset(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		signed(b, "as a new device")
		if now := b.DB.KV.Get(t.Context(), database.KeyRecoveryKey); now != key {
			t.Error("the recovery key is another one")
		}
		b.DB.KV.Delete(t.Context(), database.KeyRecoveryKey)
		if err := b.crypto().Reset(t.Context(), true); !errors.Is(err, ErrSelfSign) || !strings.Contains(err.Error(), "recovery_key") {
			t.Errorf("without the recovery key: %v", err)
		}
		b.DB.KV.Set(t.Context(), database.KeyRecoveryKey, overwrite)
		b = b.again()
		signed(b, "with new keys")
		if now := b.DB.KV.Get(t.Context(), database.KeyRecoveryKey); now == key || now == overwrite {
			t.Error("the recovery key is the old one")
		}
	},
	"PlaintextMentions": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.PlaintextMentions = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, _, room := w.with(set)
		sent, err := b.Bot.SendMessage(w.Context(), room, event.EventMessage, &event.Content{Parsed: &event.MessageEventContent{
			MsgType: event.MsgText, Body: "hi", Mentions: &event.Mentions{UserIDs: []id.UserID{carol}},
		}}, nil)
		if err != nil {
			w.Fatal(err)
		}
		if got := b.event(room, sent.EventID).Content.AsEncrypted().Mentions; (got != nil) != on {
			w.Errorf("%v: outside stands %+v", on, got)
		}
	}),
	"PickleKey": func(t *testing.T) {
		w := newWorld(t)
		b := w.start()
		b.stop()
		for _, other := range []string{"another", ""} {
			w.config = func(c *bridgeconfig.Config) { c.Encryption.PickleKey = other }
			if err := w.open().Start(t.Context()); err == nil || !strings.Contains(err.Error(), "passphrase") {
				t.Errorf("with pickle key %q: %v", other, err)
			}
		}
	},

	"DeleteKeys.DeleteOutboundOnAck": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.DeleteOutboundOnAck = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		name := b.say(room, "hello")
		ack := event.Content{Parsed: &event.BeeperRoomKeyAckEventContent{RoomID: room, SessionID: b.sessionOf(room, name)}}
		if _, err := p.client.SendToDevice(w.Context(), event.ToDeviceBeeperRoomKeyAck, &mautrix.ReqSendToDevice{Messages: map[id.UserID]map[id.DeviceID]*event.Content{
			bridgeBot: {b.connector.Crypto.Client().DeviceID: &ack},
		}}); err != nil {
			w.Fatal(err)
		}
		b.push()
		b.readable("its own", room, name, !on)
	}),
	"DeleteKeys.DontStoreOutbound": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.DontStoreOutbound = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		name := b.say(room, "hello")
		p.reads("hello")
		b.readable("its own", room, name, !on)
	}),
	"DeleteKeys.RatchetOnDecrypt": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.RatchetOnDecrypt = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		name := p.say(room, "one")
		b.reads("one")
		b.readable("what was read", room, name, !on)
		p.say(room, "two")
		b.reads("two")
	}),
	"DeleteKeys.DeleteFullyUsedOnDecrypt": both(func(c *bridgeconfig.EncryptionConfig, on bool) {
		c.DeleteKeys.DeleteFullyUsedOnDecrypt = on
		c.Rotation.EnableCustom, c.Rotation.Messages, c.Rotation.Milliseconds = true, 2, 604_800_000
	}, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		first := p.say(room, "one")
		b.reads("one")
		b.readable("one of two", room, first, true)
		p.say(room, "two")
		b.reads("two")
		b.readable("one of two, when both were read", room, first, !on)
	}),
	"DeleteKeys.DeletePrevOnNewSession": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.DeletePrevOnNewSession = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		first := p.say(room, "one")
		b.reads("one")
		p.rotates(room)
		second := p.say(room, "two")
		b.reads("two")
		b.readable("what came in the previous session", room, first, !on)
		b.readable("what came in the last session", room, second, true)
	}),
	"DeleteKeys.DeleteOnDeviceDelete": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.DeleteOnDeviceDelete = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		b.say(room, "so that carol is followed")
		late := w.person(carol, "TABLET")
		late.awaits("the room's encryption", func() bool {
			is, err := late.client.StateStore.IsEncrypted(w.Context(), room)
			return err == nil && is
		})
		name := late.say(room, "from the tablet")
		b.reads("from the tablet")
		b.knows(p, carol, 2)
		w.s.Logout(matrix.UserID(carol), "TABLET")
		b.goes(p, carol, "TABLET")
		if on {
			b.forgets(p, "what a device said that is gone", room, name)
		} else {
			b.readable("what a device said that is gone", room, name, true)
		}
	}),
	"DeleteKeys.PeriodicallyDeleteExpired": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.PeriodicallyDeleteExpired = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, p, room := w.with(set)
		old := p.say(room, "old")
		b.reads("old")
		p.rotates(room)
		young := p.say(room, "young")
		b.reads("young")
		b = b.ages(p, room, old, time.Now().Add(-15*24*time.Hour))
		if on {
			b.forgets(p, "what is older than twice a week", room, old)
		}
		b.readable("what is old", room, old, !on)
		b.readable("what is young", room, young, true)
	}),
	"DeleteKeys.DeleteOutdatedInbound": both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.DeleteKeys.DeleteOutdatedInbound = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		w.config = func(c *bridgeconfig.Config) {} // before it was set
		b := w.start()
		p := w.person(carol, "LAPTOP")
		room := b.room(p)
		old := p.say(room, "old")
		b.reads("old")
		w.config = set
		b = b.again()
		b.readable("what came before it was set", room, old, !on)
		p.rotates(room)
		young, own := p.say(room, "young"), b.say(room, "own")
		b.reads("young")
		b = b.again()
		b.readable("what came since", room, young, true)
		b.readable("its own", room, own, true)
	}),

	"VerificationLevels.Receive": func(t *testing.T) {
		b, p, room := newWorld(t).with(func(c *bridgeconfig.Config) {
			c.Encryption.VerificationLevels.Receive = id.TrustStateCrossSignedTOFU
		})
		b.say(room, "not for all")
		p.withheld(event.RoomKeyWithheldUnverified)
	},
	"VerificationLevels.Send": func(t *testing.T) {
		b, p, room := newWorld(t).with(func(c *bridgeconfig.Config) {
			c.Encryption.VerificationLevels.Send = id.TrustStateCrossSignedTOFU
			c.Matrix.MessageErrorNotices = true
		})
		p.say(room, "from a device that is not signed")
		p.awaits("that it is refused", func() bool {
			b.push()
			return p.heard("your device is not trusted")
		})
		if n := b.count("from a device that is not signed"); n != 0 {
			t.Errorf("it was handed on %d times", n)
		}
	},
	"VerificationLevels.Share": func(t *testing.T) {
		for level, want := range map[id.TrustState]event.RoomKeyWithheldCode{id.TrustStateUnset: "", id.TrustStateCrossSignedTOFU: event.RoomKeyWithheldUnverified} {
			b, p, room := newWorld(t).with(func(c *bridgeconfig.Config) {
				c.Encryption.AllowKeySharing, c.Encryption.VerificationLevels.Share = true, level
			})
			b.portal(room)
			b.say(room, "so that carol is followed")
			p.reads("so that carol is followed")
			b.decides(carol, "LAPTOP", room, want)
		}
	},
	"AllowKeySharing": func(t *testing.T) {
		t.Run("who", func(t *testing.T) {
			b, p, room := newWorld(t).with(func(c *bridgeconfig.Config) {
				c.Encryption.AllowKeySharing = true
				c.Bridge.Permissions[string(carol)] = &bridgeconfig.PermissionLevelUser
			})
			b.say(room, "so that carol is followed")
			p.reads("so that carol is followed")
			b.decides(carol, "LAPTOP", room, event.RoomKeyWithheldUnavailable)
			b.portal(room)
			b.decides(carol, "LAPTOP", room, event.RoomKeyWithheldUnauthorized)
			b.connector.Config.Encryption.AllowKeySharing = false
			b.decides(carol, "LAPTOP", room, "none")
		})
		both(func(c *bridgeconfig.EncryptionConfig, on bool) { c.AllowKeySharing = on }, func(w *world, on bool, set func(*bridgeconfig.Config)) {
			b, p, room := w.with(set)
			b.portal(room)
			name := b.say(room, "hello")
			p.reads("hello")
			late := w.person(carol, "TABLET")
			session := b.sessionOf(room, name)
			olm := late.helper.Machine()
			content := b.event(room, name).Content.AsEncrypted()
			if err := olm.SendRoomKeyRequest(w.Context(), room, content.SenderKey, session, "", map[id.UserID][]id.DeviceID{bridgeBot: {b.connector.Crypto.Client().DeviceID}}); err != nil {
				w.Fatal(err)
			}
			late.awaits("an answer", func() bool {
				b.push()
				igs, err := olm.CryptoStore.GetGroupSession(w.Context(), room, session)
				if on {
					return igs != nil
				}
				return errors.Is(err, crypto.ErrGroupSessionWithheld)
			})
		})(t)
	},

	"Rotation.EnableCustom": both(func(c *bridgeconfig.EncryptionConfig, on bool) {
		c.Rotation.EnableCustom, c.Rotation.Messages, c.Rotation.Milliseconds = on, 1, 7_200_000
	}, func(w *world, on bool, set func(*bridgeconfig.Config)) {
		b, _, room := w.with(set)
		if got := b.sessionOf(room, b.say(room, "one")) != b.sessionOf(room, b.say(room, "two")); got != on {
			w.Errorf("%v: another session: %v", on, got)
		}
	}),
	"Rotation.Messages": func(t *testing.T) {
		b, _, room := newWorld(t).with(func(c *bridgeconfig.Config) {
			r := &c.Encryption.Rotation
			r.EnableCustom, r.Messages, r.Milliseconds = true, 2, 7_200_000
		})
		var sessions []id.SessionID
		for _, body := range []string{"one", "two", "three"} {
			sessions = append(sessions, b.sessionOf(room, b.say(room, body)))
		}
		if sessions[0] != sessions[1] || sessions[1] == sessions[2] {
			t.Errorf("sessions %v", sessions)
		}
	},
	"Rotation.Milliseconds": func(t *testing.T) {
		w := newWorld(t)
		store, err := pawl.Open(t.Context(), memkv.New(), pawl.WithKey([32]byte{1}))
		if err != nil {
			t.Fatal(err)
		}
		w.store = store
		b, _, room := w.with(func(c *bridgeconfig.Config) {
			r := &c.Encryption.Rotation
			r.EnableCustom, r.Messages, r.Milliseconds = true, 100, 7_200_000
		})
		b.say(room, "hello")
		m, err := store.Machine(t.Context(), matrix.UserID(bridgeBot), matrix.DeviceID(b.connector.Crypto.Client().DeviceID))
		if err != nil {
			t.Fatal(err)
		}
		if info, err := m.Room(t.Context(), matrix.RoomID(room)); err != nil || info.Settings.Age != 2*time.Hour {
			t.Errorf("a session is used for %v, %v", info.Settings.Age, err)
		}
	},
	"Rotation.DisableDeviceChangeKeyRotation": func(t *testing.T) {
		w, log := newWorld(t), &lines{}
		w.log = zerolog.New(log)
		b, p, room := w.with(func(c *bridgeconfig.Config) { c.Encryption.Rotation.DisableDeviceChangeKeyRotation = true })
		if !log.has("one that is gone always does") {
			t.Error("no warning")
		}
		first := b.sessionOf(room, b.say(room, "one"))
		late := w.person(carol, "TABLET")
		b.knows(p, carol, 2)
		second := b.sessionOf(room, b.say(room, "two"))
		late.reads("two")
		w.s.Logout(matrix.UserID(carol), "TABLET")
		b.goes(p, carol, "TABLET")
		if third := b.sessionOf(room, b.say(room, "three")); first != second || third == second {
			t.Errorf("sessions %s, with a new device %s, without it %s", first, second, third)
		}
	},
}

// count is how often the bridge has read something.
func (b *bridge) count(body string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.read {
		if e.Content.AsMessage().Body == body {
			n++
		}
	}
	return n
}

// heard reports whether somebody has read something with a part.
func (p *person) heard(part string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.ContainsFunc(p.read, func(e *event.Event) bool { return strings.Contains(e.Content.AsMessage().Body, part) })
}

// knows waits until the bridge knows of some devices of a user.
func (b *bridge) knows(p *person, user id.UserID, n int) {
	b.Helper()
	p.awaits("devices", func() bool {
		b.push()
		all, err := b.olm().CryptoStore.GetDevices(b.Context(), user)
		return err == nil && len(all) == n
	})
}

// goes waits until the bridge knows that a device is gone.
func (b *bridge) goes(p *person, user id.UserID, device id.DeviceID) {
	b.Helper()
	p.awaits("the end of a device", func() bool {
		b.push()
		all, err := b.olm().CryptoStore.GetDevices(b.Context(), user)
		return err == nil && all[device] == nil
	})
}

// portal makes a room one of the bridge's, whose carol is a user.
func (b *bridge) portal(room id.RoomID) {
	b.Helper()
	portal, err := b.GetPortalByKey(b.Context(), networkid.PortalKey{ID: "chat"})
	if err == nil {
		portal.MXID = room
		err = portal.Save(b.Context())
	}
	if err == nil {
		_, err = b.GetUserByMXID(b.Context(), carol)
	}
	if err != nil {
		b.Fatal(err)
	}
}

// decides compares what is answered to a device that asks for a key: "" is the key.
func (b *bridge) decides(user id.UserID, device id.DeviceID, room id.RoomID, want event.RoomKeyWithheldCode) {
	b.Helper()
	d, err := b.olm().CryptoStore.GetDevice(b.Context(), user, device)
	if err != nil || d == nil {
		b.Fatalf("the device is %v, %v", d, err)
	}
	got := event.RoomKeyWithheldCode("")
	if r := b.crypto().keyShare(b.Context(), d, event.RequestedKeyInfo{RoomID: room}); r == &crypto.KeyShareRejectNoResponse {
		got = "none"
	} else if r != nil {
		got = r.Code
	}
	if got != want {
		b.Errorf("the answer is %q, want %q", got, want)
	}
}

// Every field of mautrix-go's configuration of encryption is honoured: one that is new has
// to be decided about.
func TestConfiguration(t *testing.T) {
	var names []string
	var walk func(prefix string, of reflect.Type)
	walk = func(prefix string, of reflect.Type) {
		for i := range of.NumField() {
			f := of.Field(i)
			if f.Type.Kind() == reflect.Struct {
				walk(prefix+f.Name+".", f.Type)
				continue
			}
			names = append(names, prefix+f.Name)
		}
	}
	walk("", reflect.TypeFor[bridgeconfig.EncryptionConfig]())
	slices.Sort(names)
	if known := slices.Sorted(maps.Keys(shows)); !slices.Equal(names, known) {
		t.Fatalf("mautrix-go has %q, shown are %q", names, known)
	}
	for _, name := range names {
		t.Run(name, shows[name])
	}
}
