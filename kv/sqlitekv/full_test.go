package sqlitekv

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestFull: a commit for which there is no room is refused, and then the store
// takes what there is room for.
func TestFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, func(s *settings) { s.maxPages = 40 })
	first := mustPut(t, s, "k", "v")
	if _, err := putOne(s, "large", strings.Repeat("x", 1<<20), true); !errors.Is(err, kv.ErrDiskFull) || errors.Is(err, kv.ErrUnknown) {
		t.Errorf("a commit without room: %v, want %v", err, kv.ErrDiskFull)
	}
	if e := getOne(t, s, "large"); e.Exists() {
		t.Errorf("a refused commit is there at version %d", e.Version)
	}
	if next := mustPut(t, s, "k", "w"); next != first+1 {
		t.Errorf("the next commit has version %d, want %d", next, first+1)
	}
}

// TestFullGroup: of commits that are made together, those for which there is
// room are made and the others are refused for what they are.
func TestFullGroup(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s := openStore(t, path, func(s *settings) { s.maxPages = 60 })
	mustPut(t, s, "k", "v")
	for round := range 5 {
		together := newGate(path)
		if err := <-together.ask(); err != nil {
			t.Fatal(err)
		}
		var begun, done sync.WaitGroup
		outcomes := make([]error, 6)
		for i := range outcomes {
			begun.Add(1)
			done.Go(func() {
				size := 10
				if i%2 == 0 {
					size = 1 << 20
				}
				b := &kv.Batch{ID: kv.NewCommitID(0), Sync: true, Writes: []kv.Write{{
					Key: fmt.Sprintf("%d/%d", round, i), Value: []byte(strings.Repeat("x", size)),
				}}}
				begun.Done()
				_, outcomes[i] = s.Commit(t.Context(), b)
			})
		}
		begun.Wait()
		together.release() // what waits by now is one group
		done.Wait()
		together.close()
		for i, err := range outcomes {
			full := i%2 == 0
			if full && (!errors.Is(err, kv.ErrDiskFull) || errors.Is(err, kv.ErrUnknown)) || !full && err != nil {
				t.Errorf("round %d: commit %d, too large: %v, is answered %v", round, i, full, err)
			}
			if e := getOne(t, s, fmt.Sprintf("%d/%d", round, i)); e.Exists() == full {
				t.Errorf("round %d: commit %d, too large: %v, is there: %v", round, i, full, e.Exists())
			}
		}
	}
}
