package pawlbridge

import (
	"testing"

	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
)

// A bridge without cgo talks to a client of mautrix-go, encrypted, both ways, in each way
// that to-device events come and that a device is made; and goes on with the same device
// when it is started again.
func TestBridge(t *testing.T) {
	for name, set := range map[string]func(*bridgeconfig.Config){
		"in transactions, MSC4190": func(c *bridgeconfig.Config) {},
		"in transactions, login":   func(c *bridgeconfig.Config) { c.Encryption.MSC4190 = false },
		"in syncs, MSC4190":        func(c *bridgeconfig.Config) { c.Encryption.Appservice = false },
		"in syncs, login":          func(c *bridgeconfig.Config) { c.Encryption.Appservice, c.Encryption.MSC4190 = false, false },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.config = set
			b := w.start()
			p := w.person(carol, "LAPTOP")
			room := b.room(p)
			b.say(room, "from the bridge")
			p.reads("from the bridge")
			p.say(room, "to the bridge")
			if e := b.reads("to the bridge"); !e.Mautrix.WasEncrypted {
				t.Error("it was not encrypted")
			}
			device := b.connector.Crypto.Client().DeviceID
			b.stop()
			b = w.start()
			if now := b.connector.Crypto.Client().DeviceID; now != device || device == "" {
				t.Errorf("the device is %q, and was %q", now, device)
			}
			p.say(room, "again")
			b.reads("again")
			b.say(room, "once more")
			p.reads("once more")
		})
	}
}
