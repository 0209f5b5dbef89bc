package bbolttest_test

import (
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest"
	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/sharekv/bbolttest"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

var shared = sharetest.Subject{Open: func(dir string, o sharetest.Options) (sharetest.Store, error) {
	return sharekv.Open(dir, bbolttest.Opener{Options: o}, o.Sharing()...)
}}

// fewIDs lets IDs expire soon.
const fewIDs = 64

func open(t testing.TB, dir string) *sharekv.Store {
	t.Helper()
	store, err := sharekv.Open(dir, bbolttest.Opener{CommitIDs: fewIDs})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// openGuest opens a store that another one owns.
func openGuest(t testing.TB, dir string) kv.Store {
	t.Helper()
	owner := open(t, dir)
	guest := open(t, dir)
	t.Cleanup(func() { owner.Close() })
	if guest.Status().Owner {
		t.Fatal("two owners")
	}
	return guest
}

func TestConformance(t *testing.T) {
	kvtest.Run(t, func(t testing.TB) kv.Store {
		return open(t, sharetest.NewDir(t))
	}, kvtest.CommitIDs(fewIDs))
}

func TestConformanceReopened(t *testing.T) {
	kvtest.RunReopen(t, func(t testing.TB, dir string) kv.Store { return open(t, dir) }, kvtest.CommitIDs(fewIDs))
}

func TestConformanceShared(t *testing.T) {
	kvtest.RunShared(t, func(t testing.TB, dir string) kv.Store { return open(t, dir) }, kvtest.CommitIDs(fewIDs))
}

func TestGuestConformance(t *testing.T) {
	kvtest.Run(t, func(t testing.TB) kv.Store {
		return openGuest(t, sharetest.NewDir(t))
	}, kvtest.CommitIDs(fewIDs))
}

func TestGuestConformanceReopened(t *testing.T) {
	kvtest.RunReopen(t, openGuest, kvtest.CommitIDs(fewIDs))
}

func TestHandover(t *testing.T) { sharetest.Run(t, shared) }
