package sharekv_test

import (
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
	"github.com/pawlkv/pawl/kv/sharekv/sharetest"
)

// TestWatchFromAVersionNotToldYet: who has seen a version before those who watch
// are told of it, and watches from there, is told of what comes after it only.
func TestWatchFromAVersionNotToldYet(t *testing.T) {
	visible, proceed := make(chan struct{}), make(chan struct{})
	dir, pipes := sharetest.NewDir(t), sharekv.WithTransport(new(sharetest.Pipes))
	owner, err := sharekv.Open(dir, sharetest.Journal{Options: sharetest.Options{Committed: func() {
		visible <- struct{}{}
		<-proceed
	}}}, pipes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { owner.Close() })
	stores := map[string]*sharekv.Store{"owner": owner, "guest": open(t, dir, pipes)}
	commit := func(key string) <-chan error {
		done := make(chan error, 1)
		go func() {
			_, err := owner.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key}}})
			done <- err
		}()
		<-visible
		return done
	}
	first := commit("first")
	told := make(map[string]chan kv.Change)
	for name, store := range stores {
		view := store.Snapshot()
		defer view.Close()
		seen, err := view.Version(t.Context())
		if err != nil || seen != 1 {
			t.Fatalf("%s: version %d, %v, want the one that is visible, 1", name, seen, err)
		}
		changes := make(chan kv.Change, 10)
		told[name] = changes
		go func() {
			for change, err := range store.Watch(t.Context(), "", seen) {
				if err != nil {
					return
				}
				changes <- change
			}
		}()
	}
	for name, changes := range told { // they begin to watch meanwhile
		select {
		case change := <-changes:
			t.Errorf("%s: told of %+v when it watches from version 1", name, change)
		case <-time.After(50 * time.Millisecond):
		}
	}
	proceed <- struct{}{}
	second := commit("second")
	proceed <- struct{}{}
	for _, done := range []<-chan error{first, second} {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	for name, changes := range told {
		if change := <-changes; change.Key != "second" || change.Version != 2 || change.Resync {
			t.Errorf("%s: told of %+v, want the second commit", name, change)
		}
	}
}

// TestWatchGoesOnWithTheNextOwner: what was told before the owner changed is not
// told again, and nothing has to be read anew.
func TestWatchGoesOnWithTheNextOwner(t *testing.T) {
	dir := sharetest.NewDir(t)
	first := open(t, dir)
	guest, third := open(t, dir), open(t, dir)
	put(t, first, "a", "1")
	changes := make(chan kv.Change, 10)
	go func() {
		defer close(changes)
		for change, err := range guest.Watch(t.Context(), "", 0) {
			if err != nil {
				return
			}
			changes <- change
		}
	}()
	next := func() kv.Change {
		t.Helper()
		select {
		case change := <-changes:
			return change
		case <-time.After(time.Minute):
			t.Fatal("no change is told")
			return kv.Change{}
		}
	}
	if told := next(); told.Key != "a" || told.Resync {
		t.Fatalf("told %+v, want that a has changed", told)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	put(t, third, "b", "2")
	if told := next(); told.Key != "b" || told.Resync {
		t.Errorf("told %+v by the next owner, want that b has changed and nothing else", told)
	}
}
