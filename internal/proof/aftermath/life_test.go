package aftermath

import (
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/copykv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// rounds is how often the script is gone through.
const rounds = 2

// live returns a life on a store in memory, and the store after each call.
func live(t *testing.T) (*Life, []kv.Store) {
	t.Helper()
	store := memkv.New()
	l, err := Begin(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	stores := []kv.Store{copied(t, store)}
	for range rounds * Calls {
		if err := l.Step(); err != nil {
			t.Fatal(err)
		}
		stores = append(stores, copied(t, store))
	}
	return l, stores
}

// copied returns the store as it is now, under the versions of another.
func copied(t *testing.T, from kv.Store) kv.Store {
	t.Helper()
	to := memkv.New()
	snap := from.Snapshot()
	defer snap.Close()
	head, err := snap.Version(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range head - 1 { // so that the witness has seen neither more nor less
		b := &kv.Batch{ID: kv.NewCommitID(0), Sync: true, Writes: []kv.Write{{Key: "~"}}}
		if _, err := to.Commit(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	all := func(string) bool { return true }
	if err := copykv.Bring(t.Context(), snap, to, all, func() {}); err != nil {
		t.Fatal(err)
	}
	return to
}

// TestWholeStores: a store that lost nothing is whole, also when the call that
// was under way was committed and nobody was told.
func TestWholeStores(t *testing.T) {
	l, stores := live(t)
	for calls, store := range stores {
		if verdict, err := l.Judge(t.Context(), copied(t, store), calls, Terms{Lossless: true}); verdict != Whole || err != nil {
			t.Errorf("%v, %v", verdict, err)
		}
		if calls == 0 {
			continue
		}
		if verdict, err := l.Judge(t.Context(), copied(t, store), calls-1, Terms{Lossless: true}); verdict != Whole || err != nil {
			t.Errorf("with the call that was under way: %v, %v", verdict, err)
		}
	}
}

// TestOldStores: a store that lost its newest call is found out by what it
// answers, whatever the call was. With a witness it says so itself, and is
// marked.
func TestOldStores(t *testing.T) {
	l, stores := live(t)
	reused := 0
	for calls := 1; calls < len(stores); calls++ {
		old := func() kv.Store { return copied(t, stores[calls-1]) }
		blind := Terms{Lossless: true, Witness: &Keychain{}}
		blind.Witness.(*Keychain).saved = l.moments[calls-1].mark
		_, err := l.Judge(t.Context(), old(), calls, blind)
		if err == nil {
			t.Errorf("call %d was lost, and nobody has noticed", calls)
		} else if strings.Contains(err.Error(), "REUSED") {
			reused++
		}
		if verdict, err := l.Judge(t.Context(), old(), calls, Terms{}); verdict != Marked || err != nil {
			t.Errorf("call %d was lost: %v, %v; want %v", calls, verdict, err, Marked)
		}
	}
	if reused < rounds {
		t.Errorf("%d stores have used a message key again: the judge does not see much", reused)
	}
}
