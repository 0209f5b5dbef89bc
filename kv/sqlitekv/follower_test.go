package sqlitekv

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestWatchAfterAPause: a process that could not look for so long that changes
// are no longer kept is told to resync, and goes on from there.
func TestWatchAfterAPause(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	s, other := openStore(t, path), openStore(t, path, WithWatchLog(4))
	mustPut(t, other, "k", "v")
	told := make(chan kv.Change)
	go func() {
		for c, err := range s.Watch(t.Context(), "", 0) {
			if err != nil {
				return
			}
			told <- c
		}
	}()
	if c := <-told; c.Key != "k" || c.Version != 1 {
		t.Fatalf("told of %+v first", c)
	}
	s.follower.mu.Lock() // as if the process were stopped
	for i := range 40 {
		if _, err := putOne(other, fmt.Sprintf("k/%d", i), "v", false); err != nil {
			t.Fatal(err)
		}
	}
	s.follower.mu.Unlock()
	resync := <-told
	if !resync.Resync || resync.Head < 2 {
		t.Fatalf("told of %+v after the pause, want to resync", resync)
	}
	at := resync.Head
	for at < 41 {
		c := <-told
		if c.Resync || c.Version != 0 && c.Key != fmt.Sprintf("k/%d", c.Version-2) {
			t.Fatalf("told of %+v", c)
		}
		at = max(at, c.Version)
	}
	version := mustPut(t, other, "last", "v")
	if c := <-told; c.Key != "last" || c.Version != version {
		t.Errorf("told of %+v, want last at version %d", c, version)
	}
}

// BenchmarkWatchOther measures how long it takes until a watch is told of what
// another process has committed.
func BenchmarkWatchOther(b *testing.B) {
	path := filepath.Join(b.TempDir(), "store.db")
	s, other := openStore(b, path), openStore(b, path)
	told := make(chan kv.Change)
	go func() {
		for c, err := range s.Watch(b.Context(), "", 0) {
			if err != nil {
				return
			}
			told <- c
		}
	}()
	for i := 0; b.Loop(); i++ {
		if _, err := putOne(other, fmt.Sprintf("k/%d", i), "v", false); err != nil {
			b.Fatal(err)
		}
		<-told
	}
}
