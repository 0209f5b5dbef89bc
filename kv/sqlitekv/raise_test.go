package sqlitekv

import (
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// oldStore returns a copy of a store that was made in format 1.
func oldStore(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../testdata/format1/sqlite.db")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "store.db")
	if err := os.WriteFile(path, data, fileMode); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestRaise: a store is raised by who is alone with it, and by nobody else,
// durably.
func TestRaise(t *testing.T) {
	path := oldStore(t)
	wantFormat := func(s *Store, want kv.Format) {
		t.Helper()
		if got, err := s.Raise(t.Context()); err != nil || got != want {
			t.Errorf("the store has format %d, %v, want %d", got, err, want)
		}
	}
	header := func(want uint32) {
		t.Helper()
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := binary.BigEndian.Uint32(data[atUserVersion:]); got != want {
			t.Errorf("the header of the file says format %d, want %d", got, want)
		}
	}
	a, b := openStore(t, path), openStore(t, path)
	view := a.Snapshot()
	defer view.Close()
	if _, err := view.Get(t.Context(), "k"); err != nil {
		t.Fatal(err)
	}
	wantFormat(a, kv.Format1)
	if _, err := view.Get(t.Context(), "k"); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("a view from before: %v, want %v", err, kv.ErrConflict)
	}
	mustPut(t, a, "k", "1")
	mustPut(t, b, "k", "2")
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	header(1)
	wantFormat(a, kv.Format2)
	header(2)
	mustPut(t, a, "k", "3")
	b = openStore(t, path)
	wantFormat(b, kv.Format2)
	wantFormat(a, kv.Format2)
	if got := string(getOne(t, b, "k").Value); got != "3" {
		t.Errorf("k is %q, want 3", got)
	}
	if err := errors.Join(a.Close(), b.Close()); err != nil {
		t.Fatal(err)
	}
	header(2)
	if _, err := a.Raise(t.Context()); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("closed: %v, want %v", err, kv.ErrClosed)
	}
}
