package memkv_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

func TestCommitThenRead(t *testing.T) {
	store, ctx := memkv.New(), context.Background()
	version, err := store.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: "a", Value: []byte("1")}}})
	if version != 1 || err != nil {
		t.Fatalf("first commit: version %d, %v", version, err)
	}
	entries, err := store.Snapshot().Get(ctx, "a", "b")
	if err != nil || string(entries[0].Value) != "1" || entries[0].Version != 1 || entries[1].Exists() {
		t.Fatalf("read back %+v, %v", entries, err)
	}
	_, err = store.Commit(ctx, &kv.Batch{
		ID:     kv.NewCommitID(1),
		Reads:  []kv.Read{{Key: "b", Version: 1}},
		Writes: []kv.Write{{Key: "a"}},
	})
	if !errors.Is(err, kv.ErrConflict) {
		t.Fatalf("a commit on a stale read: %v, want a conflict", err)
	}
}

// TestLimitsAreTold: a store says what it takes, as it was told or by itself.
func TestLimitsAreTold(t *testing.T) {
	if got := memkv.New().Limits(); got != kv.Embedded() {
		t.Errorf("limits %+v, want those of embedded engines", got)
	}
	want := kv.Floor()
	want.CommitIDs = 7
	if got := memkv.New(memkv.WithLimits(kv.Floor()), memkv.WithCommitIDs(7)).Limits(); got != want {
		t.Errorf("limits %+v, want %+v", got, want)
	}
}
