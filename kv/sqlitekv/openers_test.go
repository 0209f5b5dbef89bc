package sqlitekv

import (
	"fmt"
	"path/filepath"
	"testing"

	"golang.org/x/sync/errgroup"
)

// TestOpenersAndClosers: whoever opens while others make, recover and close the
// store gets it, and what it commits is there for the next.
func TestOpenersAndClosers(t *testing.T) {
	const openers, rounds = 6, 15
	path := filepath.Join(t.TempDir(), "store.db")
	var group errgroup.Group
	for i := range openers {
		group.Go(func() error {
			for j := range rounds {
				s, err := Open(path)
				if err != nil {
					return fmt.Errorf("open %d of %d: %w", j, i, err)
				}
				if _, err := putOne(s, fmt.Sprintf("%d/%d", i, j), "v", j%2 == 0); err != nil {
					return fmt.Errorf("commit %d of %d: %w", j, i, err)
				}
				if err := s.Close(); err != nil {
					return fmt.Errorf("close %d of %d: %w", j, i, err)
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
	s := openStore(t, path)
	for i := range openers {
		for j := range rounds {
			if !getOne(t, s, fmt.Sprintf("%d/%d", i, j)).Exists() {
				t.Errorf("commit %d of %d is gone", j, i)
			}
		}
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
