package badgerkv_test

import (
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/kvtest"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

// shared opens stores for the suites of sharetest.
var shared = sharetest.Subject{Open: func(dir string, o sharetest.Options) (sharetest.Store, error) {
	return badgerkv.Open(dir, sharing(o)...)
}}

func sharing(o sharetest.Options) []badgerkv.Option {
	var options []badgerkv.Option
	if o.Patience > 0 {
		options = append(options, badgerkv.WithPatience(o.Patience))
	}
	if o.Locked != nil {
		options = append(options, badgerkv.WithLockHook(o.Locked))
	}
	if o.Committing != nil || o.Committed != nil {
		options = append(options, badgerkv.WithSyncHook(func(_ string, sync func() error) error {
			sharetest.Call(o.Committing)
			err := sync()
			sharetest.Call(o.Committed)
			return err
		}))
	}
	return options
}

func TestHandover(t *testing.T) { sharetest.Run(t, shared) }

// TestGuestConformance is TestConformance for a process that does not own the
// store: a second Store in this one is nothing else.
func TestGuestConformance(t *testing.T) {
	if testing.Short() {
		t.Skip("with -short guests are left to kv/sharekv, where the engine costs nothing")
	}
	kvtest.Run(t, func(t testing.TB) kv.Store {
		return openGuest(t, filepath.Join(t.TempDir(), "store"))
	}, kvtest.CommitIDs(fewIDs))
}

// TestGuestConformanceReopened closes and opens the guest; the owner of each
// directory stays.
func TestGuestConformanceReopened(t *testing.T) {
	kvtest.RunReopen(t, openGuest, kvtest.CommitIDs(fewIDs))
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

// TestConformanceShared: the first store owns the directory, the others are
// guests.
func TestConformanceShared(t *testing.T) {
	kvtest.RunShared(t, func(t testing.TB, dir string) kv.Store { return openTo(t, dir) })
}
