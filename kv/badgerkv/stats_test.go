package badgerkv

import (
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestStats: a commit that is synced is one sync of the owner's, whoever asks
// for it, and one that is not is none.
func TestStats(t *testing.T) {
	dir := t.TempDir()
	owner, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer owner.Close()
	guest, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer guest.Close()
	before := owner.Stats()
	put := func(s *Store, key string, sync bool) {
		t.Helper()
		b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: []byte("v")}}, Sync: sync}
		if _, err := s.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	put(owner, "a", true)
	put(owner, "b", false)
	put(guest, "c", true)
	after := owner.Stats()
	if n := after.Syncs - before.Syncs; n != 2 || after.Syncing <= before.Syncing {
		t.Errorf("%d syncs in %v, want 2", n, after.Syncing-before.Syncing)
	}
	if got := guest.Stats(); got != (Stats{}) {
		t.Errorf("the guest has synced: %+v", got)
	}
}
