package etcdtest

import (
	"errors"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
)

// TestMove: a store with more records than one commit takes is moved into a cluster, on to
// another, and out again; each time the new one goes on and the old one sends nothing.
func TestMove(t *testing.T) {
	c, other := Start(t, Newest(), 1), Start(t, Newest(), 1)
	var from kv.Store = memkv.New()
	old := device(t, from)
	for range 5 {
		if _, err := old.KeysForUpload(t.Context(), 50); err != nil {
			t.Fatal(err)
		}
	}
	if n := entries(t, from); n <= 2*storeOf(t, open(t, c), "empty").Limits().Writes {
		t.Fatalf("%d entries are not many", n)
	}
	want := curve(t, old)
	for _, to := range []kv.Store{storeOf(t, open(t, c), "alice"), storeOf(t, open(t, other), "alice"), memkv.New()} {
		move(t, from, to)
		moved := device(t, to)
		if got := curve(t, moved); got != want {
			t.Errorf("the identity key is %v, want %v", got, want)
		}
		if err := sends(t, moved); err != nil {
			t.Errorf("after the move: %v", err)
		}
		if err := sends(t, old); !errors.Is(err, account.ErrRetired) {
			t.Errorf("the old store: %v, want %v", err, account.ErrRetired)
		}
		from, old = to, moved
	}
}

func entries(t *testing.T, s kv.Store) (n int) {
	t.Helper()
	snap := s.Snapshot()
	defer snap.Close()
	for _, err := range snap.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}

// move moves a store, as a program does.
func move(t *testing.T, from, to kv.Store) {
	t.Helper()
	store, err := pawl.Open(t.Context(), from, pawl.WithKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	c, err := store.CopyTo(t.Context(), to, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Retire(t.Context(), c, account.Retirement{Target: "id", Path: "elsewhere"}); err != nil {
		t.Fatal(err)
	}
	if err := store.CompleteCopy(t.Context(), to, nil); err != nil {
		t.Fatal(err)
	}
}
