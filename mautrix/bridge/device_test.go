package pawlbridge

import (
	"errors"
	"strings"
	"testing"

	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	pawlmautrix "github.com/pawlkv/pawl/mautrix"
)

// What a bridge cannot start with is said at once.
func TestInitRefuses(t *testing.T) {
	for what, c := range map[string]struct {
		set   func(*bridgeconfig.Config)
		store any
		want  string
	}{
		"a websocket":       {func(c *bridgeconfig.Config) { c.Homeserver.Websocket = true }, nil, ErrWebsocket.Error()},
		"a websocket proxy": {func(c *bridgeconfig.Config) { c.Homeserver.WSProxy = "wss://example.org" }, nil, ErrWebsocket.Error()},
		"another store":     {func(*bridgeconfig.Config) {}, 7, "not int"},
		"no path":           {func(*bridgeconfig.Config) {}, "", "the path is empty"},
	} {
		w := newWorld(t)
		w.config, w.store = c.set, c.store
		b := w.open()
		if err := b.crypto().Init(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
}

// A bridge that runs is not started again, and goes on.
func TestInitTwice(t *testing.T) {
	w := newWorld(t)
	b := w.start()
	client := b.connector.Crypto.Client()
	if err := b.crypto().Init(t.Context()); !errors.Is(err, ErrRuns) {
		t.Errorf("%v, want ErrRuns", err)
	}
	if b.connector.Crypto.Client() != client {
		t.Error("it is another device's client now")
	}
	p := w.person(carol, "LAPTOP")
	room := b.room(p)
	b.say(room, "from the bridge")
	p.reads("from the bridge")
}

// A reset that has given the device up, and got no new one, goes on when it is asked for
// again.
func TestResetAgain(t *testing.T) {
	w := newWorld(t)
	b := w.start()
	before := b.connector.Crypto.Client().DeviceID
	b.connector.Config.Homeserver.Websocket = true
	if err := b.crypto().Reset(t.Context(), true); !errors.Is(err, ErrWebsocket) {
		t.Fatalf("%v, want ErrWebsocket", err)
	}
	b.connector.Config.Homeserver.Websocket = false
	if err := b.crypto().Reset(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	if now := b.connector.Crypto.Client().DeviceID; now == before {
		t.Errorf("the device is still %s", now)
	}
	p := w.person(carol, "LAPTOP")
	room := b.room(p)
	b.say(room, "from the bridge")
	p.reads("from the bridge")
	p.say(room, "to the bridge")
	b.reads("to the bridge")
	b.crypto().Stop()
	if err := b.crypto().Reset(t.Context(), true); !errors.Is(err, pawlmautrix.ErrNotReady) {
		t.Errorf("a reset of a bridge that was stopped: %v, want ErrNotReady", err)
	}
}

// A bridge whose device is given up goes on as a new one, which reads what the old one has
// read, in each way that that is done.
func TestNewDevice(t *testing.T) {
	for name, c := range map[string]struct {
		msc4190 bool
		do      func(*bridge) *bridge
	}{
		"reset": {true, func(b *bridge) *bridge {
			if err := b.crypto().Reset(b.Context(), true); err != nil {
				b.Fatal(err)
			}
			return b
		}},
		"reset of a login": {false, func(b *bridge) *bridge {
			if err := b.crypto().Reset(b.Context(), true); err != nil {
				b.Fatal(err)
			}
			return b
		}},
		"logged out by somebody": {true, func(b *bridge) *bridge {
			b.s.Logout(matrix.UserID(bridgeBot), matrix.DeviceID(b.connector.Crypto.Client().DeviceID))
			return b.again()
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			store, err := pawl.Open(t.Context(), memkv.New(), pawl.WithKey([32]byte{1}))
			if err != nil {
				t.Fatal(err)
			}
			w.store = store
			b, p, room := w.with(func(config *bridgeconfig.Config) { config.Encryption.MSC4190 = c.msc4190 })
			before := p.say(room, "before")
			b.reads("before")
			old := b.connector.Crypto.Client().DeviceID
			b = c.do(b)
			device := b.connector.Crypto.Client().DeviceID
			if device == old || device == "" {
				t.Errorf("the device is %q, and was %q", device, old)
			}
			if all, err := store.Accounts(t.Context()); err != nil || len(all) != 1 || id.DeviceID(all[0].DeviceID) != device {
				t.Errorf("the store has %v, %v; want the account of %s alone", all, err, device)
			}
			p.awaits("that the old device is gone", func() bool {
				all, err := p.helper.Machine().FetchKeys(t.Context(), []id.UserID{bridgeBot}, true)
				return err == nil && all[bridgeBot][old] == nil && all[bridgeBot][device] != nil
			})
			b.readable("what the old device has read", room, before, true)
			again := b.event(room, before)
			again.ID = "$again"
			if _, err := b.connector.Crypto.Decrypt(t.Context(), again); !errors.Is(err, crypto.ErrDuplicateMessageIndex) {
				t.Errorf("it again under another name: %v, want %v", err, crypto.ErrDuplicateMessageIndex)
			}
			p.rotates(room)
			p.say(room, "after")
			b.reads("after")
			b.say(room, "from the new device")
			p.reads("from the new device")
			if now := b.again().connector.Crypto.Client().DeviceID; now != device {
				t.Errorf("started again the device is %q, want %q", now, device)
			}
		})
	}
}
