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
