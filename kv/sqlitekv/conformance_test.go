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
