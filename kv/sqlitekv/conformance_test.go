package sqlitekv_test

import (
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

// fewIDs lets IDs expire soon.
const fewIDs = 64

func TestConformance(t *testing.T) {
	kvtest.Run(t, func(t testing.TB) kv.Store {
		return openTo(t, filepath.Join(t.TempDir(), "store.db"))
	}, kvtest.CommitIDs(fewIDs))
}

func TestConformanceReopened(t *testing.T) {
	kvtest.RunReopen(t, func(t testing.TB, dir string) kv.Store {
		return openTo(t, filepath.Join(dir, "store.db"))
	}, kvtest.CommitIDs(fewIDs))
}

// openTo opens a store that the suite closes.
func openTo(t testing.TB, path string) kv.Store {
	t.Helper()
	store, err := sqlitekv.Open(path, sqlitekv.WithCommitIDs(fewIDs))
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// TestConformanceShared: several stores on one file, as in several processes.
func TestConformanceShared(t *testing.T) {
	kvtest.RunShared(t, func(t testing.TB, dir string) kv.Store {
		return openTo(t, filepath.Join(dir, "store.db"))
	})
}

// TestLimits: a store that is opened without options takes and keeps what the
// engines of this module do.
func TestLimits(t *testing.T) {
	store, err := sqlitekv.Open(filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	if got := store.Limits(); got != kv.Embedded() {
		t.Errorf("limits %+v, want %+v", got, kv.Embedded())
	}
}
