package sqlitekv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestViewMovesOn: a view holds nothing between two calls, and goes on as long as
// all that it has returned stands, however much else was committed meanwhile.
func TestViewMovesOn(t *testing.T) {
	const kept = 4 // commits whose changes are known
	for _, c := range []struct {
		name   string
		look   func(kv.Snapshot) error
		write  kv.Write
		others int // commits on other keys before and after
		stands bool
	}{
		{"another key", get("a"), kv.Write{Key: "b"}, 1, true},
		{"a key that was read", get("a"), kv.Write{Key: "a"}, 0, false},
		{"deleted", get("a"), kv.Write{Key: "a", Delete: true}, 1, false},
		{"an absence", get("none"), kv.Write{Key: "none"}, 1, false},
		{"an absence that stays", get("none"), kv.Write{Key: "none", Delete: true}, 1, true},
		{"within a scan", scanSome("s/", 99), kv.Write{Key: "s/15"}, 0, false},
		{"added to a scan", scanSome("s/", 99), kv.Write{Key: "s/3"}, 1, false},
		{"deleted from a scan", scanSome("s/", 99), kv.Write{Key: "s/2", Delete: true}, 0, false},
		{"beside a scan", scanSome("s/", 99), kv.Write{Key: "t"}, 1, true},
		{"where a scan ended", scanSome("s/", 1), kv.Write{Key: "s/1"}, 0, false},
		{"passed over by a scan that was ended", scanSome("s/", 2), kv.Write{Key: "s/15"}, 0, false},
		{"past where a scan was ended", scanSome("s/", 2), kv.Write{Key: "s/25"}, 1, true},
		{"a read, long ago", get("a"), kv.Write{Key: "b"}, 300, true},
		{"a key that was read, long ago", get("a"), kv.Write{Key: "a"}, 300, false},
		{"a scan, long ago", scanSome("s/", 99), kv.Write{Key: "b"}, 300, true},
		{"within a scan, long ago", scanSome("s/", 99), kv.Write{Key: "s/15"}, 300, false},
		{"added to a scan, long ago", scanSome("s/", 99), kv.Write{Key: "s/3"}, 300, false},
		{"past where a scan was ended, long ago", scanSome("s/", 1), kv.Write{Key: "s/15"}, 300, true},
		{"before where a scan was ended, long ago", scanSome("s/", 1), kv.Write{Key: "s/0"}, 300, false},
		{"deleted from a scan, long ago", scanSome("s/", 99), kv.Write{Key: "s/2", Delete: true}, 300, false},
		{"an absence in a scan that stays", scanSome("s/", 99), kv.Write{Key: "s/15", Delete: true}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := openStore(t, filepath.Join(t.TempDir(), "store.db"), WithWatchLog(kept))
			for _, key := range []string{"a", "s/1", "s/2", "z"} {
				mustPut(t, s, key, "before")
			}
			view := s.Snapshot()
			defer view.Close()
			if err := c.look(view); err != nil {
				t.Fatal(err)
			}
			others := func() {
				for range c.others {
					if _, err := putOne(s, "other", "v", false); err != nil {
						t.Fatal(err)
					}
				}
			}
			others()
			if _, err := s.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{c.write}}); err != nil {
				t.Fatal(err)
			}
			others()
			if err := s.committer.conn.checkpoint(true); err != nil {
				t.Errorf("the log cannot begin anew: %v", err)
			}
			for range 2 {
				if err := get("z")(view); (err == nil) != c.stands || err != nil && !errors.Is(err, kv.ErrConflict) {
					t.Errorf("the view is read again: %v, want that it stands: %v", err, c.stands)
				}
			}
			view.Close()
			if err := get("z")(view); !errors.Is(err, kv.ErrClosed) {
				t.Errorf("a view that is closed: %v, want %v", err, kv.ErrClosed)
			}
		})
	}
}

// TestScanMovesOn: a scan of several parts is one view too.
func TestScanMovesOn(t *testing.T) {
	for name, c := range map[string]struct {
		write string
		want  error
	}{
		"before": {"s/0000", kv.ErrConflict}, "after": {"s/9999", nil}, "beside": {"t", nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t, filepath.Join(t.TempDir(), "store.db"))
			const all = 2*partEntries + 10
			for from := 0; from < all; from += all / 2 {
				b := &kv.Batch{ID: kv.NewCommitID(0)}
				for i := range all / 2 {
					b.Writes = append(b.Writes, kv.Write{Key: fmt.Sprintf("s/%04d", from+i)})
				}
				if _, err := s.Commit(t.Context(), b); err != nil {
					t.Fatal(err)
				}
			}
			view := s.Snapshot()
			defer view.Close()
			seen, failure := 0, error(nil)
			for e, err := range view.Scan(t.Context(), "s/") {
				if failure = err; err != nil {
					break
				}
				if seen++; e.Key == "s/0001" {
					mustPut(t, s, c.write, "v")
				}
			}
			if !errors.Is(failure, c.want) || c.want == nil && seen < all {
				t.Errorf("after %d entries %v, want %v", seen, failure, c.want)
			}
		})
	}
}

func get(key string) func(kv.Snapshot) error {
	return func(view kv.Snapshot) error {
		_, err := view.Get(context.Background(), key)
		return err
	}
}

// scanSome reads a number of entries, and all if there are fewer.
func scanSome(prefix string, n int) func(kv.Snapshot) error {
	return func(view kv.Snapshot) error {
		for _, err := range view.Scan(context.Background(), prefix) {
			if n--; err != nil || n == 0 {
				return err
			}
		}
		return nil
	}
}

// TestYield: after Yield nothing is open, views are gone, and everything goes on.
func TestYield(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path)
	mustPut(t, s, "k", "v")
	snap := s.Snapshot()
	defer snap.Close()
	if _, err := snap.Get(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	if err := s.Yield(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + indexSuffix); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("SQLite has not closed its files: %v", err)
	}
	if _, err := snap.Get(t.Context(), "k"); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("a view from before: %v, want %v", err, kv.ErrConflict)
	}
	if got := string(getOne(t, s, "k").Value); got != "v" {
		t.Errorf("reads %q", got)
	}
	mustPut(t, s, "k", "w")
	s.Close()
	if err := s.Yield(t.Context()); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("yield after close: %v, want %v", err, kv.ErrClosed)
	}
}

// TestScanAfterTheViewMoved: what a scan has read ahead is of the state that the
// view was in, and is read again when it has moved on.
func TestScanAfterTheViewMoved(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "store.db"))
	for _, key := range []string{"s/1", "s/2", "t"} {
		mustPut(t, s, key, "before")
	}
	view := s.Snapshot()
	defer view.Close()
	for e, err := range view.Scan(t.Context(), "s/") {
		if err != nil {
			t.Fatal(err)
		}
		if e.Key == "s/1" {
			mustPut(t, s, "s/2", "after")
			mustPut(t, s, "t", "after")
			if got, err := view.Get(t.Context(), "t"); err != nil || string(got[0].Value) != "after" {
				t.Fatalf("%v, %v, want the view to move on", got, err)
			}
		} else if string(e.Value) != "after" {
			t.Errorf("%s is %q beside what was committed with it or later", e.Key, e.Value)
		}
	}
}
