package web

import (
	"crypto/ed25519"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/ratchet"
)

//go:embed static/startup.js
var startUpScript []byte

// TestStartUp prints how long it takes from the load of a page to the first event that it
// decrypts, on a store that is there and is opened by key: Pawl and matrix-sdk-crypto-wasm in
// turn, each time in a new page, of a browser that has kept what it has compiled of both. What
// Go takes by itself is printed beside: a program that says hello.
func TestStartUp(t *testing.T) {
	n := 20
	if testing.Short() {
		n = 2
	}
	s := newStartUps(t)
	s.server.serveTheirs(t)
	s.server.ServeProgram("hello", Build(t, ".", "./hello", false))
	whose, took := []string{"ours", "theirs", "hello"}, make(map[string][]float64)
	s.prepare("ours", "theirs")
	for i := range n {
		for j := range whose {
			who := whose[(i+j)%len(whose)] // who comes first may find the machine in another state
			took[who] = append(took[who], s.read(who))
		}
	}
	ours, theirs := median(took["ours"]), median(took["theirs"])
	t.Logf("from page load to the first decrypt, median of %d: %.0f ms, matrix-sdk-crypto-wasm %.0f ms: %.2f of it, to be 0.9", n, ours, theirs, ours/theirs)
	t.Logf("a Go program that says hello: %.0f ms", median(took["hello"]))
	t.Logf("all: %.0f, %.0f, and %.0f", took["ours"], took["theirs"], took["hello"])
}

// TestCompiledProgramIsKept: what web.md says of a program's headers suffices for Chromium to
// keep what it has compiled of pawl.wasm, and the next page begins with that.
func TestCompiledProgramIsKept(t *testing.T) {
	s := newStartUps(t)
	s.prepare("ours")
	events := wasmEvents(t, s.browser, func() { s.read("ours") })
	if events["v8.wasm.moduleCacheHit"] != 1 || events["v8.wasm.moduleCacheInvalid"] != 0 {
		t.Errorf("the page did not begin with the compiled program: %v", events)
	}
}

// startUps are pages of a browser of their own that begin on a store that is there.
type startUps struct {
	t       *testing.T
	browser *Browser
	server  *Server
	names   map[string]string // of stores, by whose
}

func newStartUps(t *testing.T) *startUps {
	t.Helper()
	s := &startUps{t: t, server: NewModuleServer(t, Package(t)), names: make(map[string]string)}
	s.server.mux.HandleFunc("/startup.js", script(startUpScript))
	s.server.mux.HandleFunc("/startup", page(`<script type="module" src="/startup.js"></script>`))
	event := startUpEvent(t)
	s.server.mux.HandleFunc("/startup.json", func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(event) })
	return s
}

// keepSooner has Chromium keep what it has compiled because it runs often after 100 kB of it,
// and not after 1 MB or when it has compiled nothing for a while.
var keepSooner = chromedp.Flag("js-flags", "--wasm-caching-hard-threshold=100000")

// prepare makes a store each, in pages that use it until the browser keeps the program. The
// browser is started again then.
func (s *startUps) prepare(whose ...string) {
	s.t.Helper()
	profile := s.t.TempDir()
	s.browser = Start(s.t, profile, keepSooner)
	for _, who := range whose {
		s.names[who] = rand.Text()
		before := s.compiled(profile)
		_, tab := s.turn(who, "import", "1")
		for late := time.After(patience); s.compiled(profile) == before; {
			select {
			case <-late:
				s.t.Fatalf("%s: the browser does not keep what it has compiled", who)
			case <-time.After(50 * time.Millisecond):
			}
		}
		tab.Close()
	}
	s.browser.Quit()
	s.browser = Start(s.t, profile, keepSooner)
}

// compiled is how many pieces of compiled programs are kept.
func (s *startUps) compiled(profile string) int {
	found, err := filepath.Glob(filepath.Join(profile, "Default/Code Cache/wasm/*_0"))
	if err != nil {
		s.t.Fatal(err)
	}
	return len(found)
}

// read returns after how many milliseconds a new page has decrypted an event.
func (s *startUps) read(whose string) (milli float64) {
	s.t.Helper()
	milli, tab := s.turn(whose, "read", `{"body":"hello"}`)
	tab.Close()
	return milli
}

func (s *startUps) turn(whose, what, want string) (milli float64, _ *Tab) {
	s.t.Helper()
	address, asked := s.server.Address("startup", whose+rand.Text(), whose, what, s.names[whose])
	tab := s.browser.Open(address)
	said := s.server.Wait(asked, patience)
	var got string
	if _, err := fmt.Sscan(said, &milli, &got); err != nil || asked.Code != 0 || got != want {
		s.t.Fatalf("%s: %s: %q, want %q", whose, what, said, want)
	}
	return milli, tab
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
