package badgerkv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// inTheWay is a batch that is refused as long as a key exists.
func inTheWay(began kv.Version) *kv.Batch {
	return &kv.Batch{
		ID: kv.NewCommitID(began), Reads: []kv.Read{{Key: "in the way"}},
		Writes: []kv.Write{{Key: "late", Value: []byte("v")}},
	}
}

func commitAgain(store kv.Store, b *kv.Batch) error {
	later := *b
	later.Again = true
	_, err := store.Commit(context.Background(), &later)
	return err
}

// refuse has a batch refused for good.
func refuse(t testing.TB, store kv.Store, b *kv.Batch) {
	t.Helper()
	if err := commitAgain(store, b); !errors.Is(err, kv.ErrConflict) {
		t.Fatalf("a batch that comes again: %v, want kv.ErrConflict", err)
	}
}

// wantRefused lets what is in the way of a refused batch go, and its first try
// arrive.
func wantRefused(t testing.TB, store kv.Store, b *kv.Batch) {
	t.Helper()
	commit(t, store, &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "in the way", Delete: true}}})
	if _, err := store.Commit(context.Background(), b); !errors.Is(err, kv.ErrRefused) {
		t.Errorf("the first try of a refused batch, arriving late: %v, want kv.ErrRefused", err)
	}
	if get(t, store, "late").Exists() {
		t.Error("a refused batch was applied")
	}
}

// TestRefusalOnFullDisk: where a refusal cannot be recorded the outcome stays
// unknown, and it is refused for good once there is room.
func TestRefusalOnFullDisk(t *testing.T) {
	free := uint64(1 << 40)
	store := open(t, newDir(t), badgerkv.WithDisk(func() (uint64, uint64) { return free, 1 << 40 }))
	b := inTheWay(put(t, store, "in the way", "1"))
	free = 0
	for range 2 {
		if err := commitAgain(store, b); kv.OutcomeOf(err) != kv.Unknown || !errors.Is(err, kv.ErrDiskFull) {
			t.Fatalf("a refusal that cannot be recorded: %v, want kv.ErrUnknown because of kv.ErrDiskFull", err)
		}
	}
	if _, err := store.Commit(t.Context(), b); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("a first try: %v, want kv.ErrConflict: it needs no record", err)
	}
	free = 1 << 40
	refuse(t, store, b)
	wantRefused(t, store, b)
}

// TestRefusalWhoseSyncFails: nobody knows whether it is on disk, until the store
// is opened again.
func TestRefusalWhoseSyncFails(t *testing.T) {
	broken := errors.New("the disk is gone")
	fail := false
	dir := newDir(t)
	store := open(t, dir, badgerkv.WithSyncHook(func(_ string, sync func() error) error {
		if fail {
			return broken
		}
		return sync()
	}))
	b := inTheWay(put(t, store, "in the way", "1"))
	fail = true
	for range 2 {
		if err := commitAgain(store, b); !errors.Is(err, kv.ErrUndecided) || !errors.Is(err, broken) {
			t.Fatalf("a refusal whose sync fails: %v, want kv.ErrUndecided with the reason", err)
		}
	}
	mustClose(t, store)
	store = open(t, dir)
	refuse(t, store, b)
	wantRefused(t, store, b)
}

// TestRefusalIsInTheFiles copies the directory when a batch was refused for good,
// though it need not have been synced if it had been applied.
func TestRefusalIsInTheFiles(t *testing.T) {
	dir := newDir(t)
	store := open(t, dir)
	b := inTheWay(put(t, store, "in the way", "1"))
	for n := range 3 * badgerkv.Slots { // in a slot's time, after a chunk, after two
		refuse(t, store, b)
		if n%badgerkv.Slots == 1 {
			wantRefused(t, open(t, restored(t, imageOf(t, dir))), b)
		}
		put(t, store, "other", fmt.Sprint(n))
	}
}

// TestRefusalSyncs: it is answered after a sync, whatever Batch.Sync says.
func TestRefusalSyncs(t *testing.T) {
	store := open(t, newDir(t))
	b := inTheWay(put(t, store, "in the way", "1"))
	before := store.Stats().Syncs
	refuse(t, store, b)
	if n := store.Stats().Syncs - before; n != 1 {
		t.Errorf("%d syncs, want 1", n)
	}
	refuse(t, store, b)
	if n := store.Stats().Syncs - before; n != 1 {
		t.Errorf("%d syncs when it was refused before, want no more", n)
	}
}
