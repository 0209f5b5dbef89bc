package sqlitekv_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// TestFilesOfAnOpenStore: whatever file of a store that two have open is removed or
// replaced, what is acknowledged is there afterwards, also what a third writes who
// opens it then. Of the log and its index commits are refused from then on; the
// gate and the board of turns are made again.
func TestFilesOfAnOpenStore(t *testing.T) {
	for suffix, refused := range map[string]bool{"-wal": true, "-shm": true, "-gate": false, "-turns": false} {
		for how, change := range map[string]func(string) error{
			"removed": os.Remove,
			"replaced": func(path string) error {
				return errors.Join(os.Remove(path), os.WriteFile(path, []byte("something else"), 0o600))
			},
		} {
			t.Run(suffix+" "+how, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "store.db")
				a, b := mustOpen(t, path), mustOpen(t, path)
				acknowledged := map[string]bool{}
				put := func(s kv.Store, key string) error {
					_, err := s.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Sync: true, Writes: []kv.Write{{Key: key}}})
					acknowledged[key] = err == nil
					return err
				}
				if err := errors.Join(put(a, "a1"), put(b, "b1"), change(path+suffix)); err != nil {
					t.Fatal(err)
				}
				for key, s := range map[string]kv.Store{"a2": a, "b2": b} {
					if err := put(s, key); errors.Is(err, kv.ErrUnusable) != refused || !refused && err != nil {
						t.Errorf("%s: %v, want kv.ErrUnusable: %v", key, err, refused)
					}
				}
				if c, err := sqlitekv.Open(path); err == nil {
					put(c, "c1")
					put(a, "a3")
					if err := errors.Join(a.Close(), c.Close(), b.Close()); err != nil {
						t.Error(err)
					}
				} else if suffix != "-wal" || !errors.Is(err, kv.ErrUnusable) || !strings.Contains(err.Error(), "close it in all processes") ||
					a.Close() != nil || b.Close() != nil {
					t.Errorf("a third opens it: %v", err)
				}
				expectKeys(t, path, acknowledged)
			})
		}
	}
}

func mustOpen(t *testing.T, path string) *sqlitekv.Store {
	t.Helper()
	s, err := sqlitekv.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func expectKeys(t *testing.T, path string, want map[string]bool) {
	t.Helper()
	s := mustOpen(t, path)
	defer s.Close()
	snap := s.Snapshot()
	defer snap.Close()
	for key, there := range want {
		got, err := snap.Get(t.Context(), key)
		if err != nil || got[0].Exists() != there {
			t.Errorf("%s is there: %v, %v, want %v", key, got[0].Exists(), err, there)
		}
	}
}

// TestCutLogOfAnOpenStore: who reads what the log had, or opens the store, is told
// what has become of the log, and not that a disk has failed.
func TestCutLogOfAnOpenStore(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	a, reader := mustOpen(t, path), mustOpen(t, path)
	defer a.Close()
	defer reader.Close()
	if _, err := a.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Sync: true, Writes: []kv.Write{{Key: "k"}}}); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path+"-wal", 0); err != nil {
		t.Fatal(err)
	}
	_, opened := sqlitekv.Open(path)
	_, read := reader.Snapshot().Get(t.Context(), "another") // who wrote it has it in memory
	for what, err := range map[string]error{"opening": opened, "reading": read} {
		if !errors.Is(err, kv.ErrUnusable) || !strings.Contains(err.Error(), "close it in all processes") {
			t.Errorf("%s: %v, want %v and what to do", what, err, kv.ErrUnusable)
		}
	}
}
