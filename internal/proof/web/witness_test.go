package web

import (
	"crypto/rand"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"github.com/pawlkv/pawl/account"
)

// serveWitness keeps a mark for actors, outside of the browser.
func (s *Server) serveWitness() {
	var mu sync.Mutex
	mark := []byte("{}")
	s.mux.HandleFunc("/witness", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Query().Get("id") == "save" {
			mark = body
		}
		w.Write(mark)
	})
}

// profiles runs one browser after the other on profiles that are copied in between.
type profiles struct {
	t      *testing.T
	server *Server
	name   string // of the store
}

// visit starts a browser on a profile, opens the store in it, and ends the browser when
// the actor has closed it.
func (p *profiles) visit(profile string, do func(a *Actor)) {
	p.t.Helper()
	browser := Start(p.t, profile)
	address, a := p.server.NewActor("worker", rand.Text())
	tab := browser.Open(address)
	a.Expect("ok", "open", p.name, "5000")
	do(a)
	a.Expect("ok", "close")
	tab.Close()
	browser.Quit()
}

// newProfiles makes a device in a profile, which has used keys, and a copy from before
// it used more.
func newProfiles(t *testing.T) (p *profiles, used, old string) {
	p = &profiles{t: t, server: NewServer(t, Build(t, ".", "./actor", false)), name: rand.Text()}
	p.server.serveWitness()
	used, old = t.TempDir(), t.TempDir()
	p.visit(used, func(a *Actor) {
		a.Expect("no_account", "device", "witnessed")
		a.Expect("ok", "create")
		a.Expect("ok", "upload")
	})
	if err := copyProfile(old, used); err != nil {
		t.Fatal(err)
	}
	p.visit(used, func(a *Actor) {
		a.Expect("ok", "device", "witnessed")
		a.Expect("ok", "why")
		a.Expect("ok", "upload")
	})
	return p, used, old
}

// dataOfOrigins is where a profile has it.
const dataOfOrigins = "Default/IndexedDB"

// copyProfile copies the data of origins in a profile, whose browser has ended.
func copyProfile(to, from string) error {
	return os.CopyFS(filepath.Join(to, dataOfOrigins), os.DirFS(filepath.Join(from, dataOfOrigins)))
}

// TestCopiedProfile: a copy of a profile sends nothing until it is recovered.
func TestCopiedProfile(t *testing.T) {
	t.Parallel()
	p, _, old := newProfiles(t)
	p.visit(old, goesBackInTime)
}

// TestRestoredProfile: nor does an older one that was put in its place.
func TestRestoredProfile(t *testing.T) {
	t.Parallel()
	p, used, old := newProfiles(t)
	if err := os.RemoveAll(used); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(old, used); err != nil {
		t.Fatal(err)
	}
	p.visit(used, goesBackInTime)
}

func goesBackInTime(a *Actor) {
	a.t.Helper()
	a.Expect("ok", "device", "witnessed")
	a.Expect("ok "+account.Behind.String(), "why")
	a.Expect("needs_recovery", "upload")
	a.Expect("ok", "recover")
	a.Expect("ok", "why")
	a.Expect("ok", "upload")
}

// TestEvictedDatabase: the browser has dropped the data of the origin. The store is empty
// and takes no device.
func TestEvictedDatabase(t *testing.T) {
	t.Parallel()
	p, used, _ := newProfiles(t)
	browser := Start(t, used)
	address, a := p.server.NewActor("worker", "evicted")
	tab := browser.Open(address)
	_, err := chromedp.Call(tab.Ctx, storage.ClearDataForOrigin, storage.ClearDataForOriginParams{Origin: p.server.URL, StorageTypes: "indexeddb"})
	if err != nil {
		t.Fatal(err)
	}
	a.Expect("ok", "open", p.name, "5000")
	a.Expect("no_account", "device", "witnessed")
	a.Expect("corrupt", "create")
}

// TestCopyIsNotRecognised: what is said of a store without a witness is so.
func TestCopyIsNotRecognised(t *testing.T) {
	t.Parallel()
	p := &profiles{t: t, server: NewServer(t, Build(t, ".", "./actor", false)), name: rand.Text()}
	used, old := t.TempDir(), filepath.Join(t.TempDir(), "old")
	p.visit(used, func(a *Actor) {
		a.Expect("no_account", "device", "blind")
		a.Expect("ok", "create")
	})
	if err := copyProfile(old, used); err != nil {
		t.Fatal(err)
	}
	p.visit(used, func(a *Actor) {
		a.Expect("ok", "device", "blind")
		a.Expect("ok", "upload")
	})
	p.visit(old, func(a *Actor) {
		a.Expect("ok", "device", "blind")
		a.Expect("ok", "why")
		a.Expect("ok", "upload")
	})
}
