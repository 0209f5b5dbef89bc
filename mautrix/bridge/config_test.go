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

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/hs"
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

// both runs a test with a switch off and on.
func both(set func(c *bridgeconfig.EncryptionConfig, on bool), test func(w *world, on bool, config func(*bridgeconfig.Config))) func(*testing.T) {
	return func(t *testing.T) {
		for _, on := range []bool{false, true} {
			test(newWorld(t), on, func(c *bridgeconfig.Config) { set(&c.Encryption, on) })
		}
	}
}

// showsUse shows of each field of bridgeconfig.EncryptionConfig that it is honoured, but for
// those of the next three maps: which keys are deleted, who is given some, and how long one
// is used.
var showsUse = map[string]func(*testing.T){
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
	shows := map[string]func(*testing.T){}
	for _, some := range []map[string]func(*testing.T){showsUse, showsDeleting, showsSharing, showsRotation} {
		maps.Copy(shows, some)
	}
	if known := slices.Sorted(maps.Keys(shows)); !slices.Equal(names, known) {
		t.Fatalf("mautrix-go has %q, shown are %q", names, known)
	}
	for _, name := range names {
		t.Run(name, shows[name])
	}
}
