package witness

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/pawlkv/pawl/kv"
)

// TestFullDisk: on a full disk the file that is there keeps its mark and takes
// others, and no new one is left half made; with room everything goes on. It
// takes the right to mount a small disk.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Logf("no file system of our own: %v", err)
		return
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	path := filepath.Join(dir, "witness")
	open := newFile(t, path)
	save(t, open, at(1))
	filler := filepath.Join(dir, "filler")
	if err := os.WriteFile(filler, make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	save(t, open, at(2))
	for range 3 {
		if err := newFile(t, path).Save(t.Context(), at(3)); !errors.Is(err, kv.ErrDiskFull) {
			t.Errorf("a new file on a full disk: %v, want %v", err, kv.ErrDiskFull)
		}
	}
	loads(t, path, at(2), nil)
	if names, err := filepath.Glob(path + ".*"); err != nil || len(names) > 0 {
		t.Errorf("left behind: %q, %v", names, err)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	save(t, newFile(t, path), at(3))
	save(t, open, at(4)) // which follows to the new file
	loads(t, path, at(4), nil)
}
