package web

import (
	"crypto/ed25519"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/ratchet"
)

//go:embed static/startup.js
var startUpScript []byte

// TestStartUp prints how long it takes from the load of a page to the first event that it
// decrypts, on a store that is there and is opened by key: Pawl and matrix-sdk-crypto-wasm in
// turn, each time in a new page.
func TestStartUp(t *testing.T) {
	n := 20
	if testing.Short() {
		n = 2
	}
	browser, server := Shared(t), NewModuleServer(t, Package(t))
	server.serveTheirs(t)
	server.mux.HandleFunc("/startup.js", script(startUpScript))
	server.mux.HandleFunc("/startup", page(`<script type="module" src="/startup.js"></script>`))
	event := startUpEvent(t)
	server.mux.HandleFunc("/startup.json", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(event) })
	turn := func(whose, what, name, want string) (milli float64) {
		t.Helper()
		address, asked := server.Address("startup", whose+rand.Text(), whose, what, name)
		tab := browser.Open(address)
		said := server.Wait(asked, patience)
		tab.Close()
		var got string
		if _, err := fmt.Sscan(said, &milli, &got); err != nil || asked.Code != 0 || got != want {
			t.Fatalf("%s: %s: %q, want %q", whose, what, said, want)
		}
		return milli
	}
	whose := []string{"ours", "theirs"}
	took, names := make(map[string][]float64), map[string]string{"ours": rand.Text(), "theirs": rand.Text()}
	for _, who := range whose {
		turn(who, "import", names[who], "1")
	}
	for i := range n {
		for j := range whose {
			who := whose[(i+j)%2] // who comes first may find the machine in another state
			took[who] = append(took[who], turn(who, "read", names[who], `{"body":"hello"}`))
		}
	}
	ours, theirs := median(took["ours"]), median(took["theirs"])
	t.Logf("from page load to the first decrypt, median of %d: %.0f ms, matrix-sdk-crypto-wasm %.0f ms: %.2f of it, to be 0.9", n, ours, theirs, ours/theirs)
	t.Logf("all: %.0f, and %.0f", took["ours"], took["theirs"])
}

// median puts figures in order, and returns what is in their middle.
func median(all []float64) float64 {
	slices.Sort(all)
	n := len(all)
	return (all[(n-1)/2] + all[n/2]) / 2
}

// startUpEvent is an event of a room, with the key that reads it.
func startUpEvent(t *testing.T) map[string]any {
	t.Helper()
	const room, sender = "!room:example.org", "@bob:example.org"
	s, err := group.NewSender(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	exported, err := s.Key().Export(nil)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ratchet.GenerateKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, message, err := s.Encrypt([]byte(`{"room_id":"` + room + `","type":"m.room.message","content":{"body":"hello"}}`))
	if err != nil {
		t.Fatal(err)
	}
	signs, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	id, identity := s.ID(), curve.Public()
	session, senderKey := unpadded.Encode(id[:]), unpadded.Encode(identity[:])
	return map[string]any{
		"room": room, "sender": sender, "session": session, "senderKey": senderKey, "signs": unpadded.Encode(signs),
		"sessionKey": base64.StdEncoding.EncodeToString(exported),
		"event": map[string]any{
			"type": "m.room.encrypted", "event_id": "$one", "sender": sender, "room_id": room, "origin_server_ts": 1,
			"content": map[string]any{
				"algorithm": "m.megolm.v1.aes-sha2", "ciphertext": unpadded.Encode(message),
				"session_id": session, "sender_key": senderKey, "device_id": "DESK",
			},
		},
	}
}
