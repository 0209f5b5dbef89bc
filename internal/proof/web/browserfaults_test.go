package web

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"
)

// TestBrowserKilled: the whole browser is killed while counters run, and started again on
// its profile.
func TestBrowserKilled(t *testing.T) {
	t.Parallel()
	s := newScene(t, "", seedOfFaults(t))
	for range roundsOfFaults() {
		s.instant(s.stay[0])
		if err := chromedp.FromContext(s.browser.ctx).Browser.Process().Kill(); err != nil {
			t.Fatal(err)
		}
		s.browser.Quit()
		s.start()
	}
	s.judge()
	s.report(roundsOfFaults())
}

// TestSiteDataCleared: the data of the origin is cleared while counters run. Their calls
// end, with a commit under way undecided, and go on in an empty store.
func TestSiteDataCleared(t *testing.T) {
	t.Parallel()
	s := newScene(t, "", seedOfFaults(t))
	for range roundsOfFaults() {
		s.instant(s.stay[0])
		_, err := chromedp.Call(s.stay[0].tab.Ctx, storage.ClearDataForOrigin, storage.ClearDataForOriginParams{Origin: s.server.URL, StorageTypes: "indexeddb"})
		if err != nil {
			t.Fatal(err)
		}
		s.goOn("cleared")
	}
	last := s.judge()
	s.report(roundsOfFaults())
	if stores := len(s.ledger.took); stores < roundsOfFaults()+1 || s.ledger.took[last] == nil {
		t.Errorf("numbers of %d stores were acknowledged, want one more than %d", stores, roundsOfFaults())
	}
	for code := range s.ledger.failures() {
		switch strings.TrimPrefix(code, "open ") {
		case "closed", "deleted", "undecided", "unavailable", "in_use":
		default:
			t.Errorf("a call has failed with %q", code)
		}
	}
}

// TestDamagedWhileClosed: files of the database are damaged while the browser is not
// running. What was acknowledged is there, or an error says that something is wrong, or the
// browser has dropped the database, and the store is empty.
func TestDamagedWhileClosed(t *testing.T) {
	t.Parallel()
	s := newScene(t, "", seedOfFaults(t))
	found := make(map[string]int)
	for range roundsOfFaults() {
		s.instant(s.stay[0])
		for _, c := range s.stay {
			c.Expect("ok", "stop")
		}
		s.browser.Quit()
		s.damage()
		s.browser = Start(t, s.profile)
		what := s.look()
		found[what]++
		s.browser.Quit()
		if what != "all there" {
			if err := os.RemoveAll(filepath.Join(s.profile, dataOfOrigins)); err != nil {
				t.Fatal(err)
			}
		}
		s.start()
	}
	s.judge()
	s.report(roundsOfFaults())
	t.Logf("after damage: %v", found)
}

// look opens the store of a profile, and tells what is in it.
func (s *scene) look() string {
	s.t.Helper()
	a := s.open("worker")
	defer a.tab.Close()
	if said := a.Do("open", s.name, "5000"); said != "ok" {
		return "open: " + said
	}
	switch said := a.Do("counted"); {
	case said == "ok  0", said == "ok 0":
		return "empty"
	case strings.HasPrefix(said, "ok "):
		s.ledger.judge(said)
		return "all there"
	default:
		return "read: " + said
	}
}

// damage changes some bytes of one file of the database.
func (s *scene) damage() {
	s.t.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(s.profile, dataOfOrigins), func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil && info.Size() > 0 {
				files = append(files, path)
			}
		}
		return err
	})
	if err != nil || len(files) == 0 {
		s.t.Fatalf("%d files of the database: %v", len(files), err)
	}
	path := files[s.random.IntN(len(files))]
	data, err := os.ReadFile(path)
	if err != nil {
		s.t.Fatal(err)
	}
	at := s.random.IntN(len(data))
	for i := at; i < min(at+16, len(data)); i++ {
		data[i] ^= byte(1 + s.random.IntN(255))
	}
	s.t.Logf("damaged: %s, of %d bytes, at %d", filepath.Base(path), len(data), at)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
}
