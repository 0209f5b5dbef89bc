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
func Run(t *testing.T, k Kit) {
	for _, c := range []struct {
		name string
		run  func(*kit)
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
		t.Run(c.name, func(t *testing.T) { c.run(&kit{t, k}) })
	}
}

// closeHandsOver closes owners one after the other under the guests' work.
func closeHandsOver(k *kit) {
	dir := NewDir(k)
	const stores, commits = 5, 40
	var all []Store
	for range stores {
		all = append(all, k.open(dir))
	}
	last := all[stores-1]
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := range commits {
				if _, err := last.Commit(k.Context(), batch(fmt.Sprintf("%d/%d", w, i), "1")); err != nil {
					k.Errorf("commit %d of writer %d: %v", i, w, err)
				}
			}
		})
	}
	for _, store := range all[:stores-1] {
		k.put(store, "here", "1")
		k.close(store)
	}
	wg.Wait()
	if got := k.count(last); got != 4*commits+1 {
		k.Errorf("%d entries, want %d", got, 4*commits+1)
	}
	if !last.Status().Owner {
		k.Error("the last store does not own what nobody else has open")
	}
}

// snapshotEndsWithItsOwner: a view that was read from is gone, one that was not
// is of the next owner.
func snapshotEndsWithItsOwner(k *kit) {
	dir := NewDir(k)
	owner, guest := k.open(dir), k.open(dir)
	version := k.put(owner, "a", "1")
	used, unused := guest.Snapshot(), guest.Snapshot()
	if _, err := used.Get(k.Context(), "a"); err != nil {
		k.Fatal(err)
	}
	k.close(owner)
	if _, err := used.Get(k.Context(), "a"); !errors.Is(err, kv.ErrConflict) {
		k.Errorf("a view that was read from: %v, want kv.ErrConflict", err)
	}
	if _, err := used.Version(k.Context()); !errors.Is(err, kv.ErrConflict) {
		k.Errorf("its version: %v, want kv.ErrConflict", err)
	}
	if entries, err := unused.Get(k.Context(), "a"); err != nil || entries[0].Version != version {
		k.Errorf("a view that was not: %v, %v", entries, err)
	}
	used.Close()
	if _, err := used.Get(k.Context(), "a"); !errors.Is(err, kv.ErrClosed) {
		k.Errorf("a view that was closed: %v, want kv.ErrClosed", err)
	}
}

// yieldStore: after Yield nothing is held, another store takes over, and the
// next call finds it.
func yieldStore(k *kit) {
	dir := NewDir(k)
	first := k.open(dir)
	old := k.put(first, "a", "1")
	view := first.Snapshot()
	defer view.Close()
	if _, err := view.Get(k.Context(), "a"); err != nil {
		k.Fatal(err)
	}
	if err := first.Yield(k.Context()); err != nil {
		k.Fatal(err)
	}
	if status := first.Status(); status != (sharekv.Status{}) {
		k.Errorf("after Yield: %+v", status)
	}
	if err := first.Yield(k.Context()); err != nil {
		k.Errorf("a second Yield: %v", err)
	}
	second := k.open(dir)
	if !second.Status().Owner {
		k.Fatal("the store is still held after Yield")
	}
	k.put(second, "a", "2")
	k.wantValue(first, "a", "2")
	if _, err := view.Get(k.Context(), "a"); !errors.Is(err, kv.ErrConflict) {
		k.Errorf("a view from before: %v, want kv.ErrConflict", err)
	}
	if first.Status().Owner || second.Status().Clients != 1 {
		k.Errorf("%+v and %+v, want the first a client of the second", first.Status(), second.Status())
	}
	// With nobody to take it, the next call opens the store again.
	k.close(second)
	k.put(first, "a", "3")
	if err := first.Yield(k.Context()); err != nil {
		k.Fatal(err)
	}
	if e := k.get(first, "a"); string(e.Value) != "3" || e.Version <= old || !first.Status().Owner {
		k.Errorf("%+v, owner %v", e, first.Status().Owner)
	}
	ended, cancel := context.WithCancel(k.Context())
	cancel()
	if err := first.Yield(ended); !errors.Is(err, context.Canceled) {
		k.Errorf("Yield with an ended context: %v", err)
	}
	k.close(first)
	if err := first.Yield(k.Context()); !errors.Is(err, kv.ErrClosed) {
		k.Errorf("Yield after Close: %v", err)
	}
}

// watchOutlivesOwners: a watch is told of what comes after its owner has
// yielded, without opening the store again by itself.
func watchOutlivesOwners(k *kit) {
	dir := NewDir(k)
	watcher := k.open(dir)
	head := k.put(watcher, "a", "1")
	told := make(chan kv.Change)
	ctx, cancel := context.WithCancel(k.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for change, err := range watcher.Watch(ctx, "a", head) {
			if err != nil {
				if !errors.Is(err, context.Canceled) {
					k.Errorf("watch: %v", err)
				}
				return
			}
			told <- change
		}
	})
	k.put(watcher, "a", "2")
	<-told
	for round := range 3 {
		if err := watcher.Yield(k.Context()); err != nil {
			k.Fatal(err)
		}
		other := k.open(dir)
		if !other.Status().Owner {
			k.Fatal("the watch has opened the store that was yielded")
		}
		version := k.put(other, "a", fmt.Sprint(round))
		if change := <-told; !change.Resync && change.Version != version {
			k.Errorf("told of %+v, want version %d or to read again", change, version)
		}
		k.close(other)
		if e := k.get(watcher, "a"); e.Version != version {
			k.Errorf("%+v, want version %d", e, version)
		}
		k.put(watcher, "a", "more")
		<-told
	}
	cancel()
	wg.Wait()
}

// turnsOfAFormerOwner: they count for nothing with the next.
func turnsOfAFormerOwner(k *kit) {
	dir := NewDir(k)
	owner, guest, other := k.open(dir), k.open(dir), k.open(dir)
	old, err := guest.Turn(k.Context(), "k")
	if err != nil {
		k.Fatal(err)
	}
	k.close(owner)
	k.put(other, "other", "1")
	began := time.Now()
	turn, err := other.Turn(k.Context(), "k")
	if err != nil {
		k.Fatal(err)
	}
	b := batch("k", "1")
	b.Turn = old.ID
	k.commit(guest, b)
	if took := time.Since(began); took < guest.Limits().TurnLife {
		k.Errorf("a commit with a turn of a former owner passed another's after %v", took)
	}
	old.Release()
	turn.Release()
}

// lockFileRemoved lets a second store lock another lock file: the first must
// notice before it commits, and both go on with one owner.
func lockFileRemoved(k *kit) {
	for name, notice := range map[string]func(k *kit, first Store){
		"by the next process": func(*kit, Store) {},
		"by a commit":         func(k *kit, first Store) { k.put(first, "b", "1") },
	} {
		k.Run(name, func(t *testing.T) {
			k := &kit{t, k.Kit}
			dir := NewDir(k)
			first := k.open(dir)
			k.put(first, "a", "1")
			term := first.Status().Term
			if err := os.Remove(filepath.Join(dir, "pawl.lock")); err != nil {
				k.Fatal(err)
			}
			notice(k, first)
			second := k.open(dir)
			k.put(second, "a", "2")
			k.put(first, "a", "3")
			k.wantValue(second, "a", "3")
			if first.Status().Owner == second.Status().Owner || first.Status().Term == term {
				k.Errorf("%+v and %+v, want one new owner", first.Status(), second.Status())
			}
		})
	}
}

// directoryRemovedOrReplaced: a store does not make a new one in its place, nor
// take another for itself.
func directoryRemovedOrReplaced(k *kit) {
	dir := NewDir(k)
	owner, guest := k.open(dir), k.open(dir)
	k.put(owner, "a", "1")
	if err := os.RemoveAll(dir); err != nil {
		k.Fatal(err)
	}
	began := time.Now()
	for range 2 {
		for name, store := range map[string]Store{"owner": owner, "guest": guest} {
			if _, err := store.Commit(k.Context(), batch("b", "1")); !errors.Is(err, kv.ErrUnavailable) {
				k.Errorf("%s of a store that was removed: %v, want kv.ErrUnavailable", name, err)
			}
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			k.Fatalf("the store was made again: %v", err)
		}
	}
	if took := time.Since(began); took > 4*time.Second {
		k.Errorf("to say so took %v: it is known at once", took)
	}
	other := k.open(dir)
	k.put(other, "c", "1")
	for name, store := range map[string]Store{"owner": owner, "guest": guest} {
		if _, err := store.Commit(k.Context(), batch("b", "1")); !errors.Is(err, kv.ErrUnavailable) {
			k.Errorf("%s of a store that was replaced: %v, want kv.ErrUnavailable", name, err)
		}
	}
	k.close(owner)
	k.close(guest)
	k.close(other)
	if n := k.count(k.open(dir)); n != 1 {
		k.Errorf("the new store has %d entries, want 1", n)
	}
}

// longPath shares a store whose socket's name is longer than systems allow.
func longPath(k *kit) {
	dir := filepath.Join(k.TempDir(), strings.Repeat("long", 30), strings.Repeat("path", 30))
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		k.Fatal(err)
	}
	owner, guest := k.open(dir), k.open(dir)
	k.put(guest, "a", "1")
	k.wantValue(owner, "a", "1")
	if guest.Status().Owner {
		k.Error("two owners")
	}
}
