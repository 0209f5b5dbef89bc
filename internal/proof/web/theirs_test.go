package web

import (
	"crypto/ed25519"
	"crypto/rand"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/ratchet"
)

//go:embed static/theirs.js
var theirScript []byte

// theirModule is matrix-sdk-crypto-wasm, where "npm ci" has put it.
const theirModule = "../clients/nodebot/node_modules/@matrix-org/matrix-sdk-crypto-wasm"

// needTheirModule skips a test where it is not installed.
func needTheirModule(t *testing.T) {
	t.Helper()
	if _, err := os.Stat(theirModule); err != nil {
		t.Skip("matrix-sdk-crypto-wasm is not installed: npm ci in internal/proof/clients/nodebot")
	}
}

// serveTheirs has it under /sdk/.
func (s *Server) serveTheirs(t *testing.T) {
	t.Helper()
	needTheirModule(t)
	files := kept(http.StripPrefix("/sdk/", http.FileServer(http.Dir(theirModule))))
	s.mux.HandleFunc("/sdk/", func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".mjs") || strings.HasSuffix(r.URL.Path, ".js") {
			w.Header().Set("Content-Type", "text/javascript")
		}
		files.ServeHTTP(w, r)
	})
}

// TestTheirTabs shows matrix-sdk-crypto-wasm in the set-up of TestTabsShareASession: its
// tabs have one device in one store, and receive and send at the same time. It prints what
// came of it, and judges nothing.
func TestTheirTabs(t *testing.T) {
	if testing.Short() {
		t.Skip("beside Pawl with make web")
	}
	needTheirModule(t)
	t.Parallel()
	const messages = 20
	server, browser := NewServer(t, Build(t, ".", "./actor", false)), Shared(t)
	server.serveTheirs(t)
	server.mux.HandleFunc("/theirs.js", script(theirScript))
	server.mux.HandleFunc("/theirs", page(`<script type="module" src="/theirs.js"></script>`))
	far, err := newTheirFarSide()
	if err != nil {
		t.Fatal(err)
	}
	name := rand.Text()
	var all []*Actor
	for i := range 3 {
		address, a := server.NewActor("theirs", fmt.Sprintf("theirs-%d", i))
		t.Cleanup(browser.Open(address).Close)
		keys := a.Do("open", "@alice:example.org", "PHONE", name)
		if i == 0 {
			scan(t, keys, &far.device, &far.fingerprint)
			if err := far.claim(a.Do("upload")); err != nil {
				t.Fatal(err)
			}
			a.Expect("ok", "query", bob, far.queried)
			if said := a.Do("receive", far.event(t, true)); said != "ok decrypted" {
				t.Fatalf("the first message: %s", said)
			}
		}
		all = append(all, a)
	}
	var mu sync.Mutex
	found := make(map[string]int)
	count := func(what string) {
		mu.Lock()
		defer mu.Unlock()
		found[what]++
	}
	var tabs []func()
	for _, a := range all {
		tabs = append(tabs, func() {
			for range messages {
				mu.Lock()
				event := far.event(t, false)
				mu.Unlock()
				count("to the device: " + a.Do("receive", event))
				said, sent := strings.CutPrefix(a.Do("send", bob, farDevice), "ok ")
				mu.Lock()
				read := sent && far.read(said)
				mu.Unlock()
				count(fmt.Sprintf("from the device: sent %v, read %v", sent, read))
			}
		})
	}
	story.Together(tabs...)
	t.Logf("matrix-sdk-crypto-wasm, %d tabs, %d messages to each and from each: %v", len(all), messages, found)
}

const (
	bob       = "@bob:example.org"
	farDevice = "DESK"
	olm       = "m.olm.v1.curve25519-aes-sha2"
)

// theirFarSide is goolm's device, as matrix-sdk-crypto knows devices.
type theirFarSide struct {
	story.Peer
	device, fingerprint string // of the device in the tabs
	oneTimeKey          string
	queried             string // the answer to a query for its keys
	signs               string
}

func newTheirFarSide() (*theirFarSide, error) {
	peer, err := interop.NewPeer(interop.Goolm{})(0)
	if err != nil {
		return nil, err
	}
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, err
	}
	f := &theirFarSide{Peer: peer, signs: base64.RawStdEncoding.EncodeToString(public)}
	keys := fmt.Sprintf(`{"algorithms":["%s"],"device_id":"%s","keys":{"curve25519:%s":"%s","ed25519:%s":"%s"},"user_id":"%s"}`,
		olm, farDevice, farDevice, peer.Identity(), farDevice, f.signs, bob)
	signature := base64.RawStdEncoding.EncodeToString(ed25519.Sign(private, []byte(keys)))
	signed := fmt.Sprintf(`%s,"signatures":{"%s":{"ed25519:%s":"%s"}}}`, strings.TrimSuffix(keys, "}"), bob, farDevice, signature)
	f.queried = fmt.Sprintf(`{"device_keys":{"%s":{"%s":%s}},"failures":{}}`, bob, farDevice, signed)
	return f, nil
}

// claim takes a one-time key from what a tab uploads.
func (f *theirFarSide) claim(said string) error {
	var body struct {
		OneTimeKeys map[string]struct{ Key string } `json:"one_time_keys"`
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(said, "ok ")), &body); err != nil {
		return fmt.Errorf("%w: %.200q", err, said)
	}
	for _, key := range body.OneTimeKeys {
		f.oneTimeKey = key.Key
	}
	return nil
}

// event is the next message to the device.
func (f *theirFarSide) event(t *testing.T, first bool) string {
	t.Helper()
	text := fmt.Appendf(nil, `{"type":"m.dummy","sender":"%s","recipient":"@alice:example.org","recipient_keys":{"ed25519":"%s"},"keys":{"ed25519":"%s"},"content":{}}`,
		bob, f.fingerprint, f.signs)
	to, err := ratchet.ParsePublicKey(f.device)
	if err != nil {
		t.Fatal(err)
	}
	var m ratchet.Message
	if first {
		key, failure := ratchet.ParsePublicKey(f.oneTimeKey)
		if failure != nil {
			t.Fatal(failure)
		}
		m, err = f.Open(to, key, text)
	} else {
		m, err = f.Encrypt(to, text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"type":"m.room.encrypted","sender":"%s","content":{"algorithm":"%s","sender_key":"%s","ciphertext":{"%s":{"type":%d,"body":"%s"}}}}`,
		bob, olm, f.Identity(), f.device, m.Type, base64.RawStdEncoding.EncodeToString(m.Body))
}

// read reports whether goolm reads what a tab sent.
func (f *theirFarSide) read(content string) bool {
	var sent struct {
		Ciphertext map[string]struct {
			Type int
			Body string
		}
	}
	if json.Unmarshal([]byte(content), &sent) != nil {
		return false
	}
	from, err := ratchet.ParsePublicKey(f.device)
	if err != nil {
		return false
	}
	m := sent.Ciphertext[f.Identity().String()]
	body, err := base64.RawStdEncoding.DecodeString(m.Body)
	if err != nil {
		return false
	}
	_, err = f.Decrypt(from, ratchet.Message{Type: ratchet.MessageType(m.Type), Body: body})
	return err == nil
}
