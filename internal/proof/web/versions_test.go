package web

import (
	"crypto/rand"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// buildNewer builds the actor of a program that knows one format more.
func buildNewer(t *testing.T) string {
	t.Helper()
	const old, newer = "NewestFormat = Format2", "NewestFormat = Format2 + 1"
	path, err := filepath.Abs(mainModule + "/kv/raise.go")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Count(string(source), old) != 1 {
		t.Fatalf("%s: %q is not there once", path, old)
	}
	dir := t.TempDir()
	changed, overlay := filepath.Join(dir, "raise.go"), filepath.Join(dir, "overlay.json")
	description, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for file, body := range map[string][]byte{changed: []byte(strings.Replace(string(source), old, newer, 1)), overlay: description} {
		if err := os.WriteFile(file, body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return BuildOver(t, ".", "./actor", false, overlay)
}

// TestPageAndServiceWorkerOfTwoVersions: two builds, one in a page and one in a service
// worker, in both orders. The newer works in the older format until it is alone with the
// store; then it raises it, and the older is refused.
func TestPageAndServiceWorkerOfTwoVersions(t *testing.T) {
	t.Parallel()
	server := NewServer(t, Build(t, ".", "./actor", false))
	server.ServeProgram("newer", buildNewer(t))
	for _, c := range []struct{ older, newer, first string }{
		{"page", "service", "older"}, {"page", "service", "newer"}, {"service", "page", "older"}, {"service", "page", "newer"},
	} {
		t.Run(c.first+" first, newer in a "+c.newer, func(t *testing.T) {
			browser := Shared(t)
			name := rand.Text()
			open := func(where, program string) *Actor {
				address, a := server.NewActor(where, rand.Text())
				t.Cleanup(browser.Open(address + "&program=" + program).Close)
				return a
			}
			older, newer := open(c.older, "program"), open(c.newer, "newer")
			first, second := older, newer
			if c.first == "newer" {
				first, second = newer, older
				older.Expect("ok", "open", name, "5000") // makes the store in its format
				older.Expect("ok", "close")
			}
			first.Expect("ok", "open", name, "5000")
			second.Expect("ok", "open", name, "5000")
			newer.Expect("ok 2", "raise")
			newer.Expect("ok 1", "put", "k", "newer")
			older.Expect("ok 2", "put", "k", "older")
			newer.Expect("ok 2 older", "get", "k")
			older.Expect("ok", "close")
			newer.Expect("ok 3", "raise")
			older.Expect("newer", "open", name, "5000")
			newer.Expect("ok 2 older", "get", "k")
		})
	}
}
