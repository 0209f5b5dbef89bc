package pawlmautrix

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// stores are the places that a test is run with.
var stores = map[string]string{"badger": "bot.pawl", "sqlite": "sqlite:bot.db"}

// at puts a place into a folder.
func at(folder, store string) string {
	p, err := placeOf(store)
	if err != nil {
		panic(err)
	}
	path := filepath.Join(folder, p.path)
	if p.sqlite {
		path = sqlitePrefix + path
	}
	return path
}

// Two programs of one device and a client of mautrix-go read each other, in turn and
// all at once.
func TestTalk(t *testing.T) {
	for name, store := range stores {
		t.Run(name, func(t *testing.T) {
			s := server(t)
			token := s.Login(matrix.UserID(alice), matrix.DeviceID(phone))
			path := at(t.TempDir(), store)
			app, twin := startPawl(t, s, token, path), startPawl(t, s, token, path)
			peer := startMautrix(t, s, bob, "LAPTOP")
			r := makeRoom(t, app, peer)
			twin.awaitEncrypted(r)
			for i := range 3 {
				for name, from := range map[string]*program{"app": app, "twin": twin, "peer": peer} {
					body := fmt.Sprint(name, " ", i)
					from.say(r, body)
					for _, to := range []*program{app, twin, peer} {
						e := to.reads(body)
						if !e.Mautrix.WasEncrypted || e.Mautrix.EventSource&event.SourceDecrypted == 0 {
							t.Errorf("%s read by %s was not encrypted: %+v", body, to.client.DeviceID, e.Mautrix)
						}
						if who := e.Mautrix.TrustSource; to != peer && (who == nil || who.DeviceID != from.client.DeviceID) {
							t.Errorf("%s read by Pawl is by %+v", body, who)
						}
					}
				}
			}
			if t.Failed() {
				return
			}
			check(t, s)
		})
	}
}

// check looks at what the server saw: no room event in the clear, and no one-time key
// in two uploads.
func check(t *testing.T, s hs.Homeserver) {
	t.Helper()
	for _, e := range s.Exchanges("send") {
		if kind := event.EventEncrypted.Type; !strings.Contains(e.Path, kind) {
			t.Errorf("%s %s is not encrypted", e.Method, e.Path)
		}
	}
	seen := map[id.KeyID]int{}
	for _, e := range s.Exchanges("keys/upload") {
		if e.User != matrix.UserID(alice) {
			continue
		}
		for key := range oneTimeKeys(t, e.Request) {
			if seen[key]++; seen[key] > 1 {
				t.Errorf("%s was in %d uploads", key, seen[key])
			}
		}
	}
	if len(seen) == 0 {
		t.Error("no one-time key was uploaded")
	}
}
