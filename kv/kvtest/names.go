package kvtest

import (
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// StrangeNames opens stores whose names have characters that mean something in
// patterns, URIs or terminals: what is committed is there when the store is opened
// again, by the same name.
func StrangeNames(t *testing.T, open func(path string) (kv.Store, error)) {
	for _, name := range []string{"[", "[a-z]*?", "a b", "100%25 #1?", "é\n\t'\""} {
		path := filepath.Join(t.TempDir(), name)
		for round := range 2 {
			s, err := open(path)
			if err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			snap := s.Snapshot()
			got, err := snap.Get(t.Context(), "k")
			if err != nil || got[0].Exists() != (round == 1) {
				t.Errorf("%q, round %d: there is %v, %v", name, round, got, err)
			}
			snap.Close()
			if _, err := s.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Sync: true, Writes: []kv.Write{{Key: "k"}}}); err != nil {
				t.Errorf("%q: %v", name, err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
}
