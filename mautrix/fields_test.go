package pawlmautrix

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// scene is a bot with Pawl's helper and a client of mautrix-go in a room.
type scene struct {
	*testing.T
	s         hs.Homeserver
	bot, peer *program
	h         *CryptoHelper
	olm       *crypto.OlmMachine
	room      id.RoomID
}

func newScene(t *testing.T) *scene {
	s := server(t)
	bot := startPawl(t, s, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), "bot.pawl"))
	peer := startMautrix(t, s, bob, "LAPTOP")
	h := bot.helper.(*CryptoHelper)
	room := makeRoom(t, bot, peer)
	// mautrix-go begins another session, or has none for a moment, when it hears of who
	// has joined and of their devices: it has heard of all by the time it reads something.
	bot.say(room, "ready")
	peer.reads("ready")
	return &scene{t, s, bot, peer, h, h.Machine(), room}
}

// encrypted is an event as the server has it.
func (s *scene) encrypted(name id.EventID) *event.Event {
	s.Helper()
	e, err := s.bot.client.GetEvent(s.Context(), s.room, name)
	if err == nil {
		e.Type.Class = event.MessageEventType
		err = e.Content.ParseRaw(e.Type)
	}
	if err != nil {
		s.Fatal(err)
	}
	return e
}

// again decrypts an event that was read before.
func (s *scene) again(name id.EventID) error {
	s.Helper()
	_, err := s.h.Decrypt(s.Context(), s.encrypted(name))
	return err
}

// hears lets the peer say something, which the bot reads.
func (s *scene) hears(body string) id.EventID {
	s.Helper()
	name := s.peer.say(s.room, body)
	s.bot.reads(body)
	return name
}

// rotates makes the peer send in another session.
func (s *scene) rotates() {
	s.Helper()
	if err := olmOf(s.peer).CryptoStore.RemoveOutboundGroupSession(s.Context(), s.room); err != nil {
		s.Fatal(err)
	}
}

// own are the fields that mautrix-go's machine alone looks at.
var own = []string{"SSSS", "Log", "CrossSigningKeys", "OnRoomKeyBundle", "SecretPushReceiver", "DeleteOutboundKeysOnAck", "DisableSharedGroupSessionTracking"}

// spoilt are values that are refused.
var spoilt = map[string]func(s *scene){
	"Client":               func(s *scene) { s.olm.Client = s.peer.client },
	"CryptoStore":          func(s *scene) { s.olm.CryptoStore = newStoreOf(s, memkv.New(), alice, phone) },
	"StateStore":           func(s *scene) { s.olm.StateStore = mautrix.NewMemoryStateStore().(crypto.StateStore) },
	"NeedsUnwedgeCallback": func(s *scene) { s.olm.NeedsUnwedgeCallback = nil },
	"AllowKeyShare": func(s *scene) {
		s.olm.AllowKeyShare = func(context.Context, *id.Device, event.RequestedKeyInfo) *crypto.KeyShareRejection { return nil }
	},
	"ShareKeysMinTrust": func(s *scene) { s.olm.ShareKeysMinTrust = id.TrustStateUnset },
}

// effects show that values are honoured.
var effects = map[string]func(s *scene){
	"SendKeysMinTrust": func(s *scene) {
		s.bot.say(s.room, "to all")
		s.peer.reads("to all")
		s.olm.SendKeysMinTrust = id.TrustStateCrossSignedTOFU
		s.bot.say(s.room, "to those who are signed")
		withheld := func(code event.RoomKeyWithheldCode) {
			s.Helper()
			s.peer.await(string(code), func(_ []*event.Event, failed []error) bool {
				return slices.ContainsFunc(failed, func(err error) bool { return errors.Is(err, &event.RoomKeyWithheldEventContent{Code: code}) })
			})
		}
		withheld(event.RoomKeyWithheldUnverified)
		s.olm.SendKeysMinTrust = id.TrustStateUnset
		s.bot.say(s.room, "to all again")
		s.peer.reads("to all again")
		d, err := s.olm.CryptoStore.GetDevice(s.Context(), bob, "LAPTOP")
		if err == nil {
			d.Trust = id.TrustStateBlacklisted
			err = s.olm.CryptoStore.PutDevice(s.Context(), bob, d)
		}
		if err != nil {
			s.Fatal(err)
		}
		s.bot.say(s.room, "to all but one")
		withheld(event.RoomKeyWithheldBlacklisted)
		s.olm.SendKeysMinTrust, d.Trust = id.TrustStateVerified, id.TrustStateVerified
		if err := s.olm.CryptoStore.PutDevice(s.Context(), bob, d); err != nil {
			s.Fatal(err)
		}
		s.bot.say(s.room, "to those who are verified")
		s.peer.reads("to those who are verified")
	},
	"DisableDeviceChangeKeyRotation": func(s *scene) { // no new device rotates, whatever it is
		sessionOf := func(name id.EventID) id.SessionID { return s.encrypted(name).Content.AsEncrypted().SessionID }
		first := sessionOf(s.bot.say(s.room, "one"))
		late := startMautrix(s.T, s.s, bob, "TABLET")
		sees(s.T, s.h.machine, bob, "the new device", func(u pawl.UserInfo) bool { return len(u.Devices) == 2 && u.Current })
		second := sessionOf(s.bot.say(s.room, "two"))
		late.reads("two")
		s.s.Logout(matrix.UserID(bob), "TABLET")
		late.cancel()
		<-late.ended
		late.cancel = nil
		sees(s.T, s.h.machine, bob, "that it is gone", func(u pawl.UserInfo) bool {
			return u.Current && slices.ContainsFunc(u.Devices, func(d pawl.DeviceInfo) bool { return !d.Gone.IsZero() })
		})
		if third := sessionOf(s.bot.say(s.room, "three")); first != second || third == second {
			s.Errorf("sessions %s, with a new device %s, without it %s", first, second, third)
		}
	},
	"PlaintextMentions": func(s *scene) {
		content := &event.MessageEventContent{MsgType: event.MsgText, Body: "hi", Mentions: &event.Mentions{UserIDs: []id.UserID{bob}}}
		for _, on := range []bool{false, true} {
			s.olm.PlaintextMentions = on
			e, err := s.h.Encrypt(s.Context(), s.room, event.EventMessage, content)
			if err != nil || (e.Mentions != nil && slices.Equal(e.Mentions.UserIDs, []id.UserID{bob})) != on {
				s.Errorf("%v: %+v, %v", on, e, err)
			}
		}
	},
	"MSC4392Relations": func(s *scene) {
		s.bot.say(s.room, "hello")
		for i, c := range []struct {
			kind                    event.Type
			relation, without, with string
		}{
			{event.EventReaction, `{"rel_type":"m.annotation","event_id":"$a","key":"k"}`, `{"rel_type":"m.annotation","event_id":"$a","key":"k"}`, ""},
			{event.EventMessage, `{"m.in_reply_to":{"event_id":"$a"}}`, `{"m.in_reply_to":{"event_id":"$a"}}`, ""},
			{event.EventMessage, `{"rel_type":"m.thread","event_id":"$a","is_falling_back":true,"m.in_reply_to":{"event_id":"$b"}}`,
				`{"rel_type":"m.thread","event_id":"$a","is_falling_back":true,"m.in_reply_to":{"event_id":"$b"}}`, `{"rel_type":"m.thread","event_id":"$a"}`},
			{event.EventMessage, `null`, "", ""},
		} {
			for on, want := range map[bool]string{false: c.without, true: c.with} {
				s.olm.MSC4392Relations = on
				e, err := s.h.Encrypt(s.Context(), s.room, c.kind, map[string]any{"body": "x", "m.relates_to": json.RawMessage(c.relation)})
				if err != nil {
					s.Fatal(err)
				}
				var wanted *event.RelatesTo
				if want != "" {
					wanted = &event.RelatesTo{}
					if err := json.Unmarshal([]byte(want), wanted); err != nil {
						s.Fatal(err)
					}
				}
				if !reflect.DeepEqual(e.RelatesTo, wanted) {
					s.Errorf("%d, %v: the server sees %+v, want %+v", i, on, e.RelatesTo, wanted)
				}
				text, err := json.Marshal(e)
				if err != nil {
					s.Fatal(err)
				}
				inside, err := s.h.machine.DecryptRoomEvent(s.Context(), pawl.RoomEvent{Room: matrix.RoomID(s.room), Sender: matrix.UserID(alice), Content: text})
				var got struct {
					RelatesTo *event.RelatesTo `json:"m.relates_to"`
				}
				if err == nil {
					err = json.Unmarshal(inside.Content, &got)
				}
				var whole *event.RelatesTo
				if c.relation != "null" {
					whole = &event.RelatesTo{}
					_ = json.Unmarshal([]byte(c.relation), whole)
				}
				if err != nil || !reflect.DeepEqual(got.RelatesTo, whole) {
					s.Errorf("%d, %v: readers see %+v, %v", i, on, got.RelatesTo, err)
				}
			}
		}
	},
	"AllowEncryptedState": func(s *scene) {
		key := "k"
		e, err := s.h.EncryptWithStateKey(s.Context(), s.room, event.StateTopic, &key, map[string]any{"topic": "secret"})
		if err != nil {
			s.Fatal(err)
		}
		text, err := json.Marshal(e)
		if err != nil {
			s.Fatal(err)
		}
		for _, on := range []bool{false, true} {
			s.olm.AllowEncryptedState = on
			outer := "m.room.topic:k"
			evt := &event.Event{ID: "$state", RoomID: s.room, Sender: alice, StateKey: &outer, Type: event.Type{Type: "m.room.encrypted", Class: event.StateEventType}}
			evt.Content.VeryRaw = text
			got, err := s.h.Decrypt(s.Context(), evt)
			if err != nil || (got.StateKey != nil && *got.StateKey == key && got.Content.AsTopic().Topic == "secret") != on {
				s.Errorf("%v: %+v, %v", on, got, err)
			}
		}
	},
	"AllowBeeperRoomReroute": func(s *scene) {
		for _, c := range []struct {
			was, is id.RoomID
			on      bool
			want    id.RoomID
		}{
			{"!a:beeper.local", "!b:beeper.local", true, "!a:beeper.local"},
			{"!a:beeper.local", "!b:beeper.local", false, "!b:beeper.local"},
			{"!a:example.org", "!b:beeper.local", true, "!b:beeper.local"},
			{"!a:beeper.local", "!b:example.org", true, "!b:example.org"},
		} {
			s.olm.AllowBeeperRoomReroute = c.on
			e := &event.Event{RoomID: c.is, Content: event.Content{Raw: map[string]any{"com.beeper.original_room_id": string(c.was)}}}
			if got := s.h.encryptedIn(e); id.RoomID(got) != c.want {
				s.Errorf("%+v: %s", c, got)
			}
		}
	},
	"DisableDecryptKeyFetching": func(s *scene) {
		const dave = "@dave:example.org"
		s.s.AddUser(dave, "secret")
		startMautrix(s.T, s.s, dave, "TABLET")
		for i, want := range []bool{false, true, false} { // disabled, enabled, and once is enough
			s.olm.DisableDecryptKeyFetching = i == 0
			if got := s.h.askFor(s.Context(), s.h.machine, dave); got != want {
				s.Errorf("%d: asked: %v", i, got)
			}
			info, err := s.h.machine.Devices(s.Context(), dave)
			if err != nil || (len(info.Devices) == 1) != (i > 0) {
				s.Errorf("%d: %+v, %v", i, info, err)
			}
		}
	},
	"IgnorePostDecryptionParseErrors": func(s *scene) {
		s.hears("hello")
		sent, err := s.peer.client.SendMessageEvent(s.Context(), s.room, event.EventMessage, &event.Content{Raw: map[string]any{"msgtype": 5, "body": "x"}})
		if err != nil {
			s.Fatal(err)
		}
		s.bot.await("the event", func(_ []*event.Event, failed []error) bool { return len(failed) > 0 })
		for _, on := range []bool{false, true} {
			s.olm.IgnorePostDecryptionParseErrors = on
			if err := s.again(sent.EventID); (err == nil) != on {
				s.Errorf("%v: %v", on, err)
			}
		}
	},
	"SessionReceived": func(s *scene) {
		got := make(chan id.SessionID, 1)
		s.olm.SessionReceived = func(_ context.Context, room id.RoomID, session id.SessionID, first uint32) {
			if room == s.room && first == 0 {
				got <- session
			}
		}
		name := s.hears("hello")
		if session := <-got; session != s.encrypted(name).Content.AsEncrypted().SessionID {
			s.Errorf("told of %s", session)
		}
	},
	"DeletePreviousKeysOnReceive": func(s *scene) {
		first := s.hears("one")
		s.rotates()
		second := s.hears("two")
		if err := errors.Join(s.again(first), s.again(second)); err != nil {
			s.Errorf("before: %v", err)
		}
		s.olm.DeletePreviousKeysOnReceive = true
		s.rotates()
		third := s.hears("three")
		for _, name := range []id.EventID{first, second} {
			if err := s.again(name); !errors.Is(err, group.ErrForgotten) {
				s.Errorf("a previous one: %v", err)
			}
		}
		if err := s.again(third); err != nil {
			s.Errorf("the last one: %v", err)
		}
	},
	"RatchetKeysOnDecrypt": func(s *scene) {
		first := s.hears("one")
		s.olm.RatchetKeysOnDecrypt = true
		second := s.hears("two")
		if err := s.again(first); err != nil { // index 0 was missed, for all that is known
			s.Errorf("what was missed: %v", err)
		}
		for _, name := range []id.EventID{first, second} {
			if err := s.again(name); !errors.Is(err, group.ErrForgotten) && !errors.Is(err, group.ErrTooEarly) {
				s.Errorf("what was read: %v", err)
			}
		}
		s.hears("three")
	},
	"DisableRatchetTracking": func(s *scene) {
		s.olm.RatchetKeysOnDecrypt, s.olm.DisableRatchetTracking = true, true
		if err := s.again(s.hears("one")); err != nil {
			s.Error(err)
		}
	},
	"DeleteFullyUsedKeysOnDecrypt": func(s *scene) {
		s.olm.DeleteFullyUsedKeysOnDecrypt = true
		first := s.hears("one")
		if err := s.again(first); err != nil {
			s.Errorf("after one of 100: %v", err)
		}
		session := s.encrypted(first).Content.AsEncrypted().SessionID
		if err := change(s.Context(), s.h.keys, spaceInbound, string(session), func(v *inbound, _ bool) (bool, error) {
			v.MaxMessages = 2
			return true, nil
		}); err != nil {
			s.Fatal(err)
		}
		second := s.hears("two")
		if err := s.again(second); !errors.Is(err, group.ErrForgotten) {
			s.Errorf("after two of 2: %v", err)
		}
	},
	"DontStoreOutboundKeys": func(s *scene) {
		kept := s.bot.say(s.room, "one")
		if err := s.again(kept); err != nil {
			s.Error(err)
		}
		if err := s.h.machine.RotateRoomKey(s.Context(), matrix.RoomID(s.room)); err != nil {
			s.Fatal(err)
		}
		s.olm.DontStoreOutboundKeys = true
		gone := s.bot.say(s.room, "two")
		s.peer.reads("two")
		if err := s.again(gone); !errors.Is(err, group.ErrForgotten) {
			s.Errorf("its own: %v", err)
		}
		s.bot.say(s.room, "three")
		s.peer.reads("three")
	},
	"DeleteKeysOnDeviceDelete": func(s *scene) {
		late := startMautrix(s.T, s.s, bob, "TABLET")
		late.awaitEncrypted(s.room)
		s.bot.say(s.room, "so that bob is followed")
		name := late.say(s.room, "from the tablet")
		s.bot.reads("from the tablet")
		kept := s.hears("from the laptop")
		s.olm.DeleteKeysOnDeviceDelete = true
		s.s.Logout(matrix.UserID(bob), "TABLET")
		late.cancel()
		<-late.ended
		late.cancel = nil
		ctx, cancel := context.WithTimeout(s.Context(), patience)
		defer cancel()
		for tick := time.NewTicker(10 * time.Millisecond); s.again(name) == nil && ctx.Err() == nil; {
			<-tick.C
		}
		if err := s.again(name); !errors.Is(err, group.ErrForgotten) {
			s.Errorf("of the device that is gone: %v", err)
		}
		if err := s.again(kept); err != nil {
			s.Errorf("of the other: %v", err)
		}
	},
}

// Every exported field of mautrix-go's machine is honoured or refused: one that is new has
// to be decided about.
func TestFields(t *testing.T) {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[crypto.OlmMachine]()) {
		if f.IsExported() {
			names = append(names, f.Name)
		}
	}
	slices.Sort(names)
	if known := slices.Sorted(maps.Keys(fields)); !slices.Equal(names, known) {
		t.Fatalf("mautrix-go has %q, decided are %q", names, known)
	}
	for _, name := range names {
		spoil, effect := spoilt[name], effects[name]
		shown := 0
		for _, is := range []bool{spoil != nil, effect != nil, slices.Contains(own, name)} {
			if is {
				shown++
			}
		}
		if shown != 1 || (spoil != nil) != (fields[name].refuse != nil) {
			t.Errorf("%s: what shows that it is honoured, or refused?", name)
			continue
		}
		if spoil == nil && effect == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			if effect != nil {
				effect(s)
				return
			}
			sent := s.hears("before")
			spoil(s)
			for call, do := range map[string]func() error{
				"Encrypt": func() error {
					_, err := s.h.Encrypt(t.Context(), s.room, event.EventMessage, map[string]any{})
					return err
				},
				"Decrypt": func() error { return s.again(sent) },
			} {
				if err := do(); !errors.Is(err, ErrField) || !strings.Contains(err.Error(), name) {
					t.Errorf("%s = %v, want ErrField that names it", call, err)
				}
			}
		})
	}
}
