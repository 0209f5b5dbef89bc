package moving_test

import (
	"errors"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest"
	"github.com/pawlkv/pawl/kv/kvtest/moving"
	"github.com/pawlkv/pawl/kv/memkv"
)

// TestConformance: views that move on keep the contract.
func TestConformance(t *testing.T) {
	kvtest.Run(t, func(testing.TB) kv.Store { return moving.Wrap(memkv.New(memkv.WithCommitIDs(64))) })
}

// TestViewsMoveOn: a view sees what came since it began, as long as nothing that
// it has returned is in the way.
func TestViewsMoveOn(t *testing.T) {
	store := moving.Wrap(memkv.New())
	put := func(key string) kv.Version {
		b := &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key}}}
		version, err := store.Commit(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		return version
	}
	first := put("k")
	view := store.Snapshot()
	defer view.Close()
	if got, err := view.Get(t.Context(), "k", "none"); err != nil || got[0].Version != first || got[1].Exists() {
		t.Fatalf("%+v, %v", got, err)
	}
	second := put("l")
	if got, err := view.Get(t.Context(), "l"); err != nil || got[0].Version != second {
		t.Fatalf("%+v, %v, want what was committed since", got, err)
	}
	if version, err := view.Version(t.Context()); err != nil || version != second {
		t.Fatalf("version %d, %v, want %d", version, err, second)
	}
	put("none")
	if _, err := view.Get(t.Context(), "m"); !errors.Is(err, kv.ErrConflict) {
		t.Fatalf("%v, want %v: an absence that was returned is none any more", err, kv.ErrConflict)
	}
}
