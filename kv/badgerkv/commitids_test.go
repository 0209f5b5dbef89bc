package badgerkv_test

import (
	"errors"
	"strconv"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// TestCommitIDsLast commits the same batches again in the next process, over
// several chunks of IDs: those that are kept give their first version, those
// that are not are expired, and nothing is applied twice.
func TestCommitIDsLast(t *testing.T) {
	dir := newDir(t)
	const keep, commits = 2 * badgerkv.Slots, 7*badgerkv.Slots + 5
	store := open(t, dir, badgerkv.WithCommitIDs(keep))
	var batches []*kv.Batch
	for i := range commits {
		b := batch("k", strconv.Itoa(i))
		b.ID = kv.NewCommitID(kv.Version(i))
		if version := commit(t, store, b); version != kv.Version(i+1) {
			t.Fatalf("commit %d has version %d", i, version)
		}
		batches = append(batches, b)
		if i%30 == 0 {
			mustClose(t, store)
			store = open(t, dir, badgerkv.WithCommitIDs(keep))
		}
	}
	expired := 0
	for i, b := range batches {
		switch version, err := store.Commit(t.Context(), b); {
		case errors.Is(err, kv.ErrExpired) && i < commits-keep:
			expired++
		case err != nil || version != kv.Version(i+1):
			t.Fatalf("commit %d again: version %d, %v", i, version, err)
		}
	}
	if expired < commits-keep-2*badgerkv.Slots {
		t.Errorf("%d IDs are expired, want nearly %d", expired, commits-keep)
	}
	if e := get(t, store, "k"); e.Version != commits {
		t.Errorf("the entry has version %d, want %d", e.Version, commits)
	}
}
