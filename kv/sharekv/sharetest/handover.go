package sharetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv"
)

// Run tests how stores in one process share a directory, and hand it over.
func Run(t *testing.T, s Subject) {
	for _, c := range []struct {
		name string
		run  func(*trial)
	}{
		{"CloseHandsOver", closeHandsOver},
		{"SnapshotEndsWithItsOwner", snapshotEndsWithItsOwner},
		{"Yield", yieldStore},
		{"WatchOutlivesOwners", watchOutlivesOwners},
		{"TurnsOfAFormerOwner", turnsOfAFormerOwner},
		{"LockFileRemoved", lockFileRemoved},
		{"DirectoryRemovedOrReplaced", directoryRemovedOrReplaced},
		{"LongPath", longPath},
		{"NothingLeaks", nothingLeaks},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(&trial{t, s}) })
	}
}

// closeHandsOver closes owners one after the other under the guests' work.
func closeHandsOver(t *trial) {
	dir := NewDir(t)
	const stores, commits = 5, 40
	var all []Store
	for range stores {
		all = append(all, t.open(dir))
	}
	last := all[stores-1]
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range commits {
				if _, err := last.Commit(t.Context(), batch(fmt.Sprintf("%d/%d", w, i), "1")); err != nil {
					t.Errorf("commit %d of writer %d: %v", i, w, err)
				}
			}
		})
	}
	for _, store := range all[:stores-1] {
		t.put(store, "here", "1")
		t.close(store)
	}
	wg.Wait()
	if got := t.count(last); got != 4*commits+1 {
		t.Errorf("%d entries, want %d", got, 4*commits+1)
	}
	if !last.Status().Owner {
		t.Error("the last store does not own what nobody else has open")
	}
}

// snapshotEndsWithItsOwner: a view that was read from is gone, one that was not
// is of the next owner.
func snapshotEndsWithItsOwner(t *trial) {
	dir := NewDir(t)
	owner, guest := t.open(dir), t.open(dir)
	version := t.put(owner, "a", "1")
	used, unused := guest.Snapshot(), guest.Snapshot()
	if _, err := used.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	t.close(owner)
	if _, err := used.Get(t.Context(), "a"); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("a view that was read from: %v, want kv.ErrConflict", err)
	}
	if _, err := used.Version(t.Context()); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("its version: %v, want kv.ErrConflict", err)
	}
	if entries, err := unused.Get(t.Context(), "a"); err != nil || entries[0].Version != version {
		t.Errorf("a view that was not: %v, %v", entries, err)
	}
	used.Close()
	if _, err := used.Get(t.Context(), "a"); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("a view that was closed: %v, want kv.ErrClosed", err)
	}
}

// yieldStore: after Yield nothing is held, another store takes over, and the
// next call finds it.
func yieldStore(t *trial) {
	dir := NewDir(t)
	first := t.open(dir)
	old := t.put(first, "a", "1")
	view := first.Snapshot()
	defer view.Close()
	if _, err := view.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := first.Yield(t.Context()); err != nil {
		t.Fatal(err)
	}
	if status := first.Status(); status != (sharekv.Status{}) {
		t.Errorf("after Yield: %+v", status)
	}
	if err := first.Yield(t.Context()); err != nil {
		t.Errorf("a second Yield: %v", err)
	}
	second := t.open(dir)
	if !second.Status().Owner {
		t.Fatal("the store is still held after Yield")
	}
	t.put(second, "a", "2")
	t.wantValue(first, "a", "2")
	if _, err := view.Get(t.Context(), "a"); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("a view from before: %v, want kv.ErrConflict", err)
	}
	if first.Status().Owner || second.Status().Clients != 1 {
		t.Errorf("%+v and %+v, want the first a client of the second", first.Status(), second.Status())
	}
	// With nobody to take it, the next call opens the store again.
	t.close(second)
	t.put(first, "a", "3")
	if err := first.Yield(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := t.get(first, "a"); string(e.Value) != "3" || e.Version <= old || !first.Status().Owner {
		t.Errorf("%+v, owner %v", e, first.Status().Owner)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := first.Yield(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Yield with an ended context: %v", err)
	}
	t.close(first)
	if err := first.Yield(t.Context()); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Yield after Close: %v", err)
	}
}

// watchOutlivesOwners: a watch is told of what comes after its owner has
// yielded, without opening the store again by itself.
func watchOutlivesOwners(t *trial) {
	dir := NewDir(t)
	watcher := t.open(dir)
	head := t.put(watcher, "a", "1")
	told := make(chan kv.Change)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for change, err := range watcher.Watch(ctx, "a", head) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					t.Errorf("watch: %v", err)
				}
				return
			}
			told <- change
		}
	})
	t.put(watcher, "a", "2")
	<-told
	for round := range 3 {
		if err := watcher.Yield(t.Context()); err != nil {
			t.Fatal(err)
		}
		other := t.open(dir)
		if !other.Status().Owner {
			t.Fatal("the watch has opened the store that was yielded")
		}
		version := t.put(other, "a", fmt.Sprint(round))
		if change := <-told; !change.Resync && change.Version != version {
			t.Errorf("told of %+v, want version %d or to read again", change, version)
		}
		t.close(other)
		if e := t.get(watcher, "a"); e.Version != version {
			t.Errorf("%+v, want version %d", e, version)
		}
		t.put(watcher, "a", "more")
		<-told
	}
	cancel()
	wg.Wait()
}

// turnsOfAFormerOwner: they count for nothing with the next.
func turnsOfAFormerOwner(t *trial) {
	dir := NewDir(t)
	owner, guest, other := t.open(dir), t.open(dir), t.open(dir)
	old, err := guest.Turn(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	t.close(owner)
	t.put(other, "other", "1")
	began := time.Now()
	turn, err := other.Turn(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	b := batch("k", "1")
	b.Turn = old.ID
	t.commit(guest, b)
	if took := time.Since(began); took < guest.Limits().TurnLife {
		t.Errorf("a commit with a turn of a former owner passed another's after %v", took)
	}
	old.Release()
	turn.Release()
}

// lockFileRemoved lets a second store lock another lock file: the first must
// notice before it commits, and both go on with one owner.
func lockFileRemoved(t *trial) {
	for name, notice := range map[string]func(t *trial, first Store){
		"by the next process": func(*trial, Store) {},
		"by a commit":         func(t *trial, first Store) { t.put(first, "b", "1") },
	} {
		t.Run(name, func(inner *testing.T) {
			t := &trial{inner, t.Subject}
			dir := NewDir(t)
			first := t.open(dir)
			t.put(first, "a", "1")
			term := first.Status().Term
			if err := os.Remove(filepath.Join(dir, "pawl.lock")); err != nil {
				t.Fatal(err)
			}
			notice(t, first)
			second := t.open(dir)
			t.put(second, "a", "2")
			t.put(first, "a", "3")
			t.wantValue(second, "a", "3")
			if first.Status().Owner == second.Status().Owner || first.Status().Term == term {
				t.Errorf("%+v and %+v, want one new owner", first.Status(), second.Status())
			}
		})
	}
}

// directoryRemovedOrReplaced: a store does not make a new one in its place, nor
// take another for itself.
func directoryRemovedOrReplaced(t *trial) {
	dir := NewDir(t)
	owner, guest := t.open(dir), t.open(dir)
	t.put(owner, "a", "1")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 2 {
		for name, store := range map[string]Store{"owner": owner, "guest": guest} {
			if _, err := store.Commit(t.Context(), batch("b", "1")); !errors.Is(err, kv.ErrUnusable) {
				t.Errorf("%s of a store that was removed: %v, want kv.ErrUnusable", name, err)
			}
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the store was made again: %v", err)
		}
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("to say so took %v: it is known at once", took)
	}
	other := t.open(dir)
	t.put(other, "c", "1")
	for name, store := range map[string]Store{"owner": owner, "guest": guest} {
		if _, err := store.Commit(t.Context(), batch("b", "1")); !errors.Is(err, kv.ErrUnusable) {
			t.Errorf("%s of a store that was replaced: %v, want kv.ErrUnusable", name, err)
		}
	}
	t.close(owner)
	t.close(guest)
	t.close(other)
	if n := t.count(t.open(dir)); n != 1 {
		t.Errorf("the new store has %d entries, want 1", n)
	}
}

// longPath shares a store whose socket's name is longer than systems allow.
func longPath(t *trial) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30), strings.Repeat("path", 30))
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	owner, guest := t.open(dir), t.open(dir)
	t.put(guest, "a", "1")
	t.wantValue(owner, "a", "1")
	if guest.Status().Owner {
		t.Error("two owners")
	}
}
