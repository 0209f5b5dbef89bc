package sharekv_test

import (
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest"
	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

// journal opens stores of the cheap engine.
var journal = sharetest.Subject{Open: func(dir string, o sharetest.Options) (sharetest.Store, error) {
	return sharekv.Open(dir, sharetest.Journal{Options: o}, o.Sharing()...)
}}

// inPipes is journal for stores that are connected by pipes.
func inPipes() sharetest.Subject {
	pipes := sharekv.WithTransport(new(sharetest.Pipes))
	return sharetest.Subject{Open: func(dir string, o sharetest.Options) (sharetest.Store, error) {
		return sharekv.Open(dir, sharetest.Journal{Options: o}, append(o.Sharing(), pipes)...)
	}}
}

func TestHandover(t *testing.T) { sharetest.Run(t, journal) }

func TestHandoverByAnotherTransport(t *testing.T) { sharetest.Run(t, inPipes()) }

// fewIDs lets IDs expire soon, and watchers fall behind.
const fewIDs = 64

func openFew(t testing.TB, dir string, options ...sharekv.Option) *sharekv.Store {
	t.Helper()
	store, err := sharekv.Open(dir, sharetest.Journal{CommitIDs: fewIDs}, append(options, sharekv.WithWatchLog(16))...)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// openGuest opens a store that another one owns.
func openGuest(t testing.TB, dir string, options ...sharekv.Option) kv.Store {
	t.Helper()
	owner := openFew(t, dir, options...)
	guest := openFew(t, dir, options...)
	t.Cleanup(func() { owner.Close() })
	if guest.Status().Owner {
		t.Fatal("two owners")
	}
	return guest
}

func TestConformance(t *testing.T) {
	kvtest.Run(t, func(t testing.TB) kv.Store {
		return openFew(t, filepath.Join(t.TempDir(), "store"))
	}, kvtest.CommitIDs(fewIDs))
}

func TestConformanceReopened(t *testing.T) {
	kvtest.RunReopen(t, func(t testing.TB, dir string) kv.Store { return openFew(t, dir) }, kvtest.CommitIDs(fewIDs))
}

// TestConformanceShared: the first store owns the data, the others are guests.
func TestConformanceShared(t *testing.T) {
	kvtest.RunShared(t, func(t testing.TB, dir string) kv.Store { return openFew(t, dir) })
}

func TestGuestConformance(t *testing.T) {
	kvtest.Run(t, func(t testing.TB) kv.Store {
		return openGuest(t, filepath.Join(t.TempDir(), "store"))
	}, kvtest.CommitIDs(fewIDs))
}

func TestGuestConformanceReopened(t *testing.T) {
	kvtest.RunReopen(t, func(t testing.TB, dir string) kv.Store { return openGuest(t, dir) }, kvtest.CommitIDs(fewIDs))
}

func TestGuestConformanceByAnotherTransport(t *testing.T) {
	kvtest.Run(t, func(t testing.TB) kv.Store {
		pipes := sharekv.WithTransport(new(sharetest.Pipes))
		return openGuest(t, filepath.Join(t.TempDir(), "store"), pipes)
	}, kvtest.CommitIDs(fewIDs))
}

// TestGuestConformanceOfVersions: of two processes one may be a program that
// speaks nothing newer than version 1, whichever is the owner. It remembers no
// refusals for the other.
func TestGuestConformanceOfVersions(t *testing.T) {
	for name, old := range map[string]struct{ owner, guest uint64 }{"owner": {1, 2}, "guest": {2, 1}} {
		t.Run(name, func(t *testing.T) {
			kvtest.Run(t, func(t testing.TB) kv.Store {
				dir := filepath.Join(t.TempDir(), "store")
				pipes := sharekv.WithTransport(new(sharetest.Pipes))
				owner := openFew(t, dir, pipes, sharekv.WithVersions(1, old.owner))
				t.Cleanup(func() { owner.Close() })
				return openFew(t, dir, pipes, sharekv.WithVersions(1, old.guest))
			}, kvtest.CommitIDs(fewIDs), kvtest.ForgetsRefusals())
		})
	}
}
