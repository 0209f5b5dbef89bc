package badgerkv_test

import (
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/kvtest"
)

// TestGuestConformance is TestConformance for a process that does not own the
// store: a second Store in this one is nothing else.
func TestGuestConformance(t *testing.T) {
	kvtest.Run(t, func(t testing.TB) kv.Store {
		return openGuest(t, filepath.Join(t.TempDir(), "store"))
	}, kvtest.CommitIDs(fewIDs), kvtest.ForgetsRefusals())
}

// TestGuestConformanceReopened closes and opens the guest; the owner of each
// directory stays.
func TestGuestConformanceReopened(t *testing.T) {
	kvtest.RunReopen(t, openGuest, kvtest.CommitIDs(fewIDs), kvtest.ForgetsRefusals())
}

// openGuest opens a store that this Store does not own.
func openGuest(t testing.TB, dir string) kv.Store {
	t.Helper()
	owner, err := badgerkv.Open(dir, badgerkv.WithCommitIDs(fewIDs))
	if err != nil {
		t.Fatal(err)
	}
	guest := openTo(t, dir)
	t.Cleanup(func() { owner.Close() })
	if guest.(*badgerkv.Store).Status().Owner {
		t.Fatal("two owners")
	}
	return guest
}
