package sqlitekv

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
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
		if got, err := kv.FormatOf(t.Context(), s); err != nil || got != want {
			t.Errorf("it says that it has format %d, %v, want %d", got, err, want)
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

// TestRaiseUnderWay: whoever reads and commits in this process meanwhile goes on;
// views end, at most, and nothing that was answered is lost.
func TestRaiseUnderWay(t *testing.T) {
	s := openStore(t, oldStore(t))
	var stop atomic.Bool
	var group sync.WaitGroup
	last := make([]kv.Version, 4)
	for i := range last {
		group.Go(func() {
			key := fmt.Sprint("of-", i)
			for !stop.Load() {
				view := s.Snapshot()
				got, err := view.Get(t.Context(), key)
				view.Close()
				if errors.Is(err, kv.ErrConflict) {
					continue
				}
				if err != nil || got[0].Version != last[i] {
					t.Errorf("reading: version %v, %v, want %d", got, err, last[i])
					return
				}
				b := &kv.Batch{ID: kv.NewCommitID(last[i]), Sync: true, Reads: []kv.Read{{Key: key, Version: last[i]}}, Writes: []kv.Write{{Key: key, Value: []byte("v")}}}
				if last[i], err = s.Commit(t.Context(), b); err != nil {
					t.Errorf("committing: %v", err)
					return
				}
			}
		})
	}
	for raised := 0; raised < 3; { // who reads here may be in the way
		got, err := s.Raise(t.Context())
		if err != nil || t.Context().Err() != nil {
			t.Errorf("raising: %v", err)
			break
		}
		if got == kv.Format2 {
			raised++
		}
	}
	stop.Store(true)
	group.Wait()
}
