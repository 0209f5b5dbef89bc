package sqlitekv

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// TestSnapshotLife: a view that was open too long is gone, and the log can begin
// anew.
func TestSnapshotLife(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, WithSnapshotLife(time.Millisecond))
	mustPut(t, s, "k", "v")
	snap := s.Snapshot()
	defer snap.Close()
	for err := error(nil); !errors.Is(err, kv.ErrConflict); _, err = snap.Get(t.Context(), "k") {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := s.committer.conn.checkpoint(true); err != nil {
		t.Errorf("the log cannot begin anew: %v", err)
	}
	snap.Close()
	if _, err := snap.Get(t.Context(), "k"); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("a view that is gone and closed: %v, want %v", err, kv.ErrClosed)
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
