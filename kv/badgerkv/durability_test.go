package badgerkv_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// TestAcknowledgedAfterSync holds back a sync: the commit must not return, nor
// be visible, before it ends.
func TestAcknowledgedAfterSync(t *testing.T) {
	syncing, proceed := make(chan struct{}), make(chan struct{})
	store := open(t, newDir(t), badgerkv.WithSyncHook(func(_ string, sync func() error) error {
		syncing <- struct{}{}
		<-proceed
		return sync()
	}))
	done := make(chan error, 1)
	go func() {
		_, err := store.Commit(context.Background(), batch("a", "1"))
		done <- err
	}()
	select {
	case <-syncing:
	case err := <-done:
		t.Fatalf("returned %v, and nothing was synced", err)
	}
	if get(t, store, "a").Exists() {
		t.Error("visible before it was synced")
	}
	select {
	case err := <-done:
		t.Errorf("returned %v before it was synced", err)
	default:
	}
	close(proceed)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if !get(t, store, "a").Exists() {
		t.Error("not visible after it was acknowledged")
	}
}

// TestFailedSync: the outcome is unknown, stays so, and nothing follows. The
// entries are never shown, since nobody knows whether they will stay.
func TestFailedSync(t *testing.T) {
	broken := errors.New("the disk is gone")
	fail := false
	store := open(t, newDir(t), badgerkv.WithSyncHook(func(_ string, sync func() error) error {
		if fail {
			return broken
		}
		return sync()
	}))
	put(t, store, "a", "1")
	fail = true
	lost := batch("a", "2")
	for range 2 {
		if _, err := store.Commit(context.Background(), lost); !errors.Is(err, kv.ErrUnknown) || !errors.Is(err, broken) {
			t.Fatalf("commit whose sync fails: %v, want kv.ErrUnknown with the reason", err)
		}
	}
	fail = false
	if _, err := store.Commit(context.Background(), batch("b", "1")); !errors.Is(err, kv.ErrUnavailable) {
		t.Fatalf("commit after a failed sync: %v, want kv.ErrUnavailable", err)
	}
	if e := get(t, store, "a"); string(e.Value) != "1" {
		t.Errorf("value %q, want the one that was acknowledged", e.Value)
	}
}

// TestUnsyncedInOrder fills memtables with unsynced commits: each log must be
// synced before the next one takes over, and a commit that is not synced must
// not sync by itself.
func TestUnsyncedInOrder(t *testing.T) {
	dir := newDir(t)
	var mu sync.Mutex
	synced := make(map[string]int)
	store := open(t, dir, badgerkv.WithSyncHook(func(file string, sync func() error) error {
		mu.Lock()
		defer mu.Unlock()
		next := fmt.Sprintf("%05d.mem", number(t, file)+1)
		if names, _ := filepath.Glob(filepath.Join(dir, next)); len(names) > 0 {
			t.Errorf("%s is synced when %s is already there", filepath.Base(file), next)
		}
		synced[filepath.Base(file)]++
		return sync()
	}))
	value := strings.Repeat("x", 100_000)
	commits := 3 * badgerkv.MemTable / len(value)
	for i := range commits {
		b := batch(fmt.Sprint(i), value)
		b.Sync = false
		commit(t, store, b)
	}
	if len(synced) < 2 {
		t.Fatalf("%d logs were synced, want one for each memtable that was filled", len(synced))
	}
	for file, times := range synced {
		if times > commits/20 {
			t.Errorf("%s was synced %d times", file, times)
		}
	}
	before := len(synced)
	put(t, store, "last", "1")
	if total := len(synced); total < before {
		t.Errorf("the synced commit did not sync")
	}
	mustClose(t, store)
	store = open(t, dir)
	if got := len(content(t, store)); got != commits+1 {
		t.Errorf("%d entries, want %d", got, commits+1)
	}
}

func number(t testing.TB, file string) int {
	var n int
	if _, err := fmt.Sscanf(filepath.Base(file), "%d.mem", &n); err != nil {
		t.Error(err)
	}
	return n
}

// TestEveryAcknowledgedCommitIsInTheFiles copies the directory after each of
// many synced commits, over changes of the memtable, and opens the copies.
func TestEveryAcknowledgedCommitIsInTheFiles(t *testing.T) {
	dir := newDir(t)
	store := open(t, dir)
	value := strings.Repeat("x", 200_000)
	for i := range 100 {
		put(t, store, fmt.Sprintf("%03d", i), value)
		if i%12 != 0 {
			continue
		}
		copied := open(t, restored(t, imageOf(t, dir)))
		if got := len(content(t, copied)); got != i+1 {
			t.Fatalf("%d entries in the copy, want %d", got, i+1)
		}
		mustClose(t, copied)
	}
}
