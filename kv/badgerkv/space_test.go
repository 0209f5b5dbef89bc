package badgerkv_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
)

// TestDiskFull says that the disk is full, and then that it is not.
func TestDiskFull(t *testing.T) {
	free := uint64(1 << 40)
	store := open(t, newDir(t), badgerkv.WithDisk(func() (uint64, uint64) { return free, 1 << 40 }))
	put(t, store, "a", "1")
	free = badgerkv.DefaultRoom - 1
	b := batch("a", "2")
	if _, err := store.Commit(context.Background(), b); !errors.Is(err, kv.ErrDiskFull) {
		t.Fatalf("%v, want kv.ErrDiskFull", err)
	}
	if e := get(t, store, "a"); string(e.Value) != "1" {
		t.Errorf("value %q, want the one before", e.Value)
	}
	free = 1 << 30
	commit(t, store, b)
}

// TestOpenOnFullDisk: opening writes through memory maps, where a full disk would
// end the process.
func TestOpenOnFullDisk(t *testing.T) {
	free := uint64(1 << 30)
	disk := badgerkv.WithDisk(func() (uint64, uint64) { return free, 1 << 40 })
	dir := newDir(t)
	store := open(t, dir, disk)
	put(t, store, "a", "1")
	mustClose(t, store)
	free = 0
	for _, path := range []string{dir, newDir(t)} {
		if other, err := badgerkv.Open(path, disk); !errors.Is(err, kv.ErrDiskFull) {
			t.Errorf("%v, want kv.ErrDiskFull", err)
			if err == nil {
				mustClose(t, other)
			}
		}
	}
	free = badgerkv.DefaultRoom
	if e := get(t, open(t, dir, disk), "a"); string(e.Value) != "1" {
		t.Errorf("value %q when there is room again", e.Value)
	}
}

// TestSmallDiskFull fills a disk of 160 MiB, where we may mount one, until it
// refuses, and goes on when there is room again.
func TestSmallDiskFull(t *testing.T) {
	mount := t.TempDir()
	if runtime.GOOS != "linux" || exec.Command("mount", "-t", "tmpfs", "-o", "size=160m", "tmpfs", mount).Run() != nil {
		t.Log("no disk can be mounted here; TestDiskFull says that it is full instead")
		return
	}
	t.Cleanup(func() { exec.Command("umount", mount).Run() })
	ballast := filepath.Join(mount, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 40<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(mount, "store")
	store, err := badgerkv.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	value := strings.Repeat("x", 400_000)
	written := 0
	for ; err == nil && written < 3000; written++ {
		_, err = store.Commit(context.Background(), batch(strings.Repeat("k", written%50+1), value))
	}
	if !errors.Is(err, kv.ErrDiskFull) {
		t.Fatalf("after %d commits: %v, want kv.ErrDiskFull", written, err)
	}
	if e := get(t, store, "k"); string(e.Value) != value {
		t.Error("reading does not go on")
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	put(t, store, "after", "1")
	mustClose(t, store)
	if e := get(t, open(t, dir), "after"); !e.Exists() {
		t.Error("what was written after there was room again is gone")
	}
}
