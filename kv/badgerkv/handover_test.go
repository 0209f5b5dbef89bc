//go:build linux || darwin

package badgerkv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// TestCloseHandsOver closes owners one after the other under the guests' work.
func TestCloseHandsOver(t *testing.T) {
	dir := newDir(t)
	const stores, commits = 5, 40
	var all []*badgerkv.Store
	for range stores {
		all = append(all, open(t, dir))
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
		put(t, store, "here", "1")
		mustClose(t, store)
	}
	wg.Wait()
	if got := len(content(t, last)); got != 4*commits+1 {
		t.Errorf("%d entries, want %d", got, 4*commits+1)
	}
	if !last.Status().Owner {
		t.Error("the last store does not own what nobody else has open")
	}
}

// TestSnapshotEndsWithItsOwner: a view that was read from is gone, one that was
// not is of the next owner.
func TestSnapshotEndsWithItsOwner(t *testing.T) {
	dir := newDir(t)
	owner, guest := open(t, dir), open(t, dir)
	version := put(t, owner, "a", "1")
	used, unused := guest.Snapshot(), guest.Snapshot()
	if _, err := used.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, owner)
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

// TestYield: after it nothing is held, another store takes over, and the next
// call finds it.
func TestYield(t *testing.T) {
	dir := newDir(t)
	first := open(t, dir)
	old := put(t, first, "a", "1")
	view := first.Snapshot()
	defer view.Close()
	if _, err := view.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := first.Yield(t.Context()); err != nil {
		t.Fatal(err)
	}
	if now := first.Status(); now != (badgerkv.Status{}) {
		t.Errorf("after Yield: %+v", now)
	}
	if err := first.Yield(t.Context()); err != nil {
		t.Errorf("a second Yield: %v", err)
	}
	second := open(t, dir)
	if !second.Status().Owner {
		t.Fatal("the store is still held after Yield")
	}
	put(t, second, "a", "2")
	if e := get(t, first, "a"); string(e.Value) != "2" {
		t.Errorf("a is %q, want 2", e.Value)
	}
	if _, err := view.Get(t.Context(), "a"); !errors.Is(err, kv.ErrConflict) {
		t.Errorf("a view from before: %v, want kv.ErrConflict", err)
	}
	if first.Status().Owner || second.Status().Clients != 1 {
		t.Errorf("%+v and %+v, want the first a client of the second", first.Status(), second.Status())
	}
	// With nobody to take it, the next call opens the store again.
	mustClose(t, second)
	put(t, first, "a", "3")
	if err := first.Yield(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e := get(t, first, "a"); string(e.Value) != "3" || e.Version <= old || !first.Status().Owner {
		t.Errorf("%+v, owner %v", e, first.Status().Owner)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := first.Yield(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("Yield with an ended context: %v", err)
	}
	mustClose(t, first)
	if err := first.Yield(t.Context()); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Yield after Close: %v", err)
	}
}

// TestWatchOutlivesOwners: a watch is told of what comes after its owner has
// yielded, without opening the store again by itself.
func TestWatchOutlivesOwners(t *testing.T) {
	dir := newDir(t)
	watcher := open(t, dir)
	head := put(t, watcher, "a", "1")
	heard := make(chan kv.Change)
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
			heard <- change
		}
	})
	put(t, watcher, "a", "2")
	<-heard
	for round := range 3 {
		if err := watcher.Yield(t.Context()); err != nil {
			t.Fatal(err)
		}
		other := open(t, dir)
		if !other.Status().Owner {
			t.Fatal("the watch has opened the store that was yielded")
		}
		version := put(t, other, "a", fmt.Sprint(round))
		if change := <-heard; !change.Resync && change.Version != version {
			t.Errorf("told of %+v, want version %d or to read again", change, version)
		}
		mustClose(t, other)
		if e := get(t, watcher, "a"); e.Version != version {
			t.Errorf("%+v, want version %d", e, version)
		}
		put(t, watcher, "a", "more")
		<-heard
	}
	cancel()
	wg.Wait()
}

// TestTurnsOfAFormerOwner: they count for nothing with the next.
func TestTurnsOfAFormerOwner(t *testing.T) {
	dir := newDir(t)
	owner, guest, other := open(t, dir), open(t, dir), open(t, dir)
	old, err := guest.Turn(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, owner)
	put(t, other, "other", "1")
	began := time.Now()
	now, err := other.Turn(t.Context(), "k")
	if err != nil {
		t.Fatal(err)
	}
	b := batch("k", "1")
	b.Turn = old.ID
	commit(t, guest, b)
	if took := time.Since(began); took < kv.EmbeddedTurnLife {
		t.Errorf("a commit with a turn of a former owner passed another's after %v", took)
	}
	old.Release()
	now.Release()
}

// TestLockFileRemoved lets a second store lock another lock file: the first
// must notice before it commits, and both go on with one owner.
func TestLockFileRemoved(t *testing.T) {
	for name, notice := range map[string]func(t *testing.T, first *badgerkv.Store){
		"by the next process": func(*testing.T, *badgerkv.Store) {},
		"by a commit":         func(t *testing.T, first *badgerkv.Store) { put(t, first, "b", "1") },
	} {
		t.Run(name, func(t *testing.T) {
			dir := newDir(t)
			first := open(t, dir)
			put(t, first, "a", "1")
			epoch := first.Status().Epoch
			if err := os.Remove(filepath.Join(dir, badgerkv.LockName)); err != nil {
				t.Fatal(err)
			}
			notice(t, first)
			second := open(t, dir)
			put(t, second, "a", "2")
			put(t, first, "a", "3")
			if e := get(t, second, "a"); string(e.Value) != "3" {
				t.Errorf("a is %q, want 3", e.Value)
			}
			if first.Status().Owner == second.Status().Owner || first.Status().Epoch == epoch {
				t.Errorf("%+v and %+v, want one new owner", first.Status(), second.Status())
			}
		})
	}
}

// TestDirectoryRemovedOrReplaced: a store does not make a new one in its place,
// nor take another for itself.
func TestDirectoryRemovedOrReplaced(t *testing.T) {
	dir := newDir(t)
	owner, guest := open(t, dir), open(t, dir)
	put(t, owner, "a", "1")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	for range 2 {
		for name, store := range map[string]*badgerkv.Store{"owner": owner, "guest": guest} {
			if _, err := store.Commit(t.Context(), batch("b", "1")); !errors.Is(err, kv.ErrUnavailable) {
				t.Errorf("%s of a store that was removed: %v, want kv.ErrUnavailable", name, err)
			}
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("the store was made again: %v", err)
		}
	}
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("to say so took %v: it is known at once", took)
	}
	other := open(t, dir)
	put(t, other, "c", "1")
	for name, store := range map[string]*badgerkv.Store{"owner": owner, "guest": guest} {
		if _, err := store.Commit(t.Context(), batch("b", "1")); !errors.Is(err, kv.ErrUnavailable) {
			t.Errorf("%s of a store that was replaced: %v, want kv.ErrUnavailable", name, err)
		}
	}
	mustClose(t, owner)
	mustClose(t, guest)
	mustClose(t, other)
	if got := content(t, open(t, dir)); len(got) != 1 {
		t.Errorf("the new store has %v", got)
	}
}

// TestLongPath shares a store whose socket's name is longer than systems allow.
func TestLongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30), strings.Repeat("path", 30))
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		t.Fatal(err)
	}
	owner, guest := open(t, dir), open(t, dir)
	put(t, guest, "a", "1")
	if e := get(t, owner, "a"); string(e.Value) != "1" || guest.Status().Owner {
		t.Errorf("%+v", e)
	}
}

// TestOtherVersion refuses a process that speaks no version of ours.
func TestOtherVersion(t *testing.T) {
	dir := newDir(t)
	open(t, dir)
	if _, err := badgerkv.Open(dir, badgerkv.WithVersions(7, 8)); !errors.Is(err, kv.ErrUnavailable) || !strings.Contains(err.Error(), "update the older") {
		t.Errorf("%v, want kv.ErrUnavailable and what to do", err)
	}
	next, err := badgerkv.Open(dir, badgerkv.WithVersions(1, 2))
	if err != nil {
		t.Fatalf("a process of the next version: %v", err)
	}
	put(t, next, "a", "1")
	mustClose(t, next)
}

// TestNothingLeaks opens, uses and closes owners and guests, and counts what is
// left.
func TestNothingLeaks(t *testing.T) {
	dir := newDir(t)
	use := func() {
		owner, guest := open(t, dir), open(t, dir)
		put(t, guest, "a", "1")
		view := guest.Snapshot()
		if _, err := view.Get(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		if _, err := guest.Turn(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		for range guest.Watch(t.Context(), "", 0) {
			break
		}
		mustClose(t, owner)
		put(t, guest, "a", "2")
		mustClose(t, guest)
	}
	use()
	goroutines, files := settled(t, 0, 0)
	for range 5 {
		use()
	}
	if g, f := settled(t, goroutines, files); g > goroutines || f > files {
		trace := make([]byte, 1<<20)
		t.Errorf("%d goroutines and %d files, before %d and %d\n%s", g, f, goroutines, files, trace[:runtime.Stack(trace, true)])
	}
}

// settled counts goroutines and open files until there are no more than
// wanted, or until nothing changes any more.
func settled(t *testing.T, goroutines, files int) (int, int) {
	t.Helper()
	g, f, same := 0, 0, 0
	for late := time.Now().Add(patience); time.Now().Before(late) && same < 50; {
		open, err := os.ReadDir("/dev/fd")
		if err != nil {
			t.Fatal(err)
		}
		if nowG, nowF := runtime.NumGoroutine(), len(open); nowG == g && nowF == f {
			same++
		} else {
			g, f, same = nowG, nowF, 0
		}
		if g <= goroutines && f <= files {
			break
		}
		<-time.After(time.Millisecond)
	}
	return g, f
}
