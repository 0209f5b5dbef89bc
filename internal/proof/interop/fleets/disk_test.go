//go:build linux

package fleets

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop/processes/crews"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// room is how large the disk of a server is.
const room = "256m"

// mount returns a directory on a small file system of its own, and whether it is one.
func mount(t *testing.T) (dir string, mounted bool) {
	t.Helper()
	dir, err := os.MkdirTemp("", "pawl-") // short: sockets have short names
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=755,size="+room); err != nil {
		t.Logf("NOT SHOWN: A FULL DISK, since none can be mounted here: %v", err)
		return dir, false
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir, true
}

// fill takes all the room that a disk has left, and returns what has it.
func fill(t *testing.T, disk string) (ballast string) {
	t.Helper()
	ballast = filepath.Join(disk, "ballast")
	file, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for size := 1 << 20; size > 0; {
		if _, err := file.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
	return ballast
}

// mostUntilFull is far more than what fits where there is no room.
const mostUntilFull = 2000

// untilFull lets processes receive until one is told that the disk is full, or the server
// has ended because of it, unless this is a history, whose processes go on by themselves.
func (r *round) untilFull(server *pgtest.Server) {
	if r == nil {
		return
	}
	t := r.site.T
	t.Helper()
	for range mostUntilFull {
		l := r.crew.Letter(false)
		r.letters = append(r.letters, l)
		_, err := r.unstruck().Receive(r.site.Context(), l)
		switch {
		case errors.Is(err, kv.ErrDiskFull):
			return
		case !server.Runs():
			t.Log("the server has ended on its full disk")
			return
		case err != nil && !crews.Refused(err):
			t.Fatalf("receiving on a disk that fills: %v", err)
		}
	}
	t.Errorf("%d messages were received on a full disk", mostUntilFull)
}
