package badgerkv_test

import (
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// TestStrangeNames: a directory's name may have any characters, as in patterns.
func TestStrangeNames(t *testing.T) {
	for _, name := range []string{"[", "[a-z]*?", "a b", "100%25 #1?", "é\n\t'\""} {
		dir := filepath.Join(t.TempDir(), name)
		for round := range kv.Version(2) {
			s, err := badgerkv.Open(dir)
			if err != nil {
				t.Fatalf("%q: %v", name, err)
			}
			b := &kv.Batch{ID: kv.NewCommitID(0), Sync: true, Writes: []kv.Write{{Key: "k", Value: []byte{byte(round)}}}}
			if _, err := s.Commit(t.Context(), b); err != nil {
				t.Errorf("%q: %v", name, err)
			}
			if err := s.Close(); err != nil {
				t.Errorf("%q: %v", name, err)
			}
		}
	}
}
