package badgerkv_test

import (
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/kvtest"
)

// fewIDs lets IDs expire soon. Chunks of 64 versions are kept whole, so this
// is as few as keep to the suite's "at most twice as many".
const fewIDs = 200

func TestConformance(t *testing.T) {
	kvtest.Run(t, func(t testing.TB) kv.Store {
		return openTo(t, filepath.Join(t.TempDir(), "store"))
	}, kvtest.CommitIDs(fewIDs))
}

func TestConformanceReopened(t *testing.T) {
	kvtest.RunReopen(t, func(t testing.TB, dir string) kv.Store {
		return openTo(t, dir)
	}, kvtest.CommitIDs(fewIDs))
}

// openTo opens a store that the suite closes.
func openTo(t testing.TB, dir string) kv.Store {
	t.Helper()
	store, err := badgerkv.Open(dir, badgerkv.WithCommitIDs(fewIDs))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// TestLimits: a store that is opened without options takes and keeps what the
// engines of this module do.
func TestLimits(t *testing.T) {
	store, err := badgerkv.Open(filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if got := store.Limits(); got != kv.Embedded() {
		t.Errorf("limits %+v, want %+v", got, kv.Embedded())
	}
}
