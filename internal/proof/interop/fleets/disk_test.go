//go:build linux

package fleets

import (
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop/processes/crews"
	"github.com/pawlkv/pawl/kv"
)

// How large the disk of a server is. A member of etcd has files of 64 MB, of which it keeps
// five and makes one ahead.
const (
	postgresRoom = "256m"
	etcdRoom     = "640m"
)

// mount returns a directory on a small file system of its own, and whether it is one.
func mount(t *testing.T, room string) (dir string, mounted bool) {
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

// mostUntilFull is far more than what fits where there is no room.
const mostUntilFull = 2000

// fullDisk is a fault of a server: its disk has no room left, until a process is told so or
// the server has ended because of it. The server may end later too: a process of it has
// found no room, and what is done about that takes a while on a busy machine.
func (s *site) fullDisk(name, disk string, server runner, up, recovered func()) fault {
	return fault{name: name, strike: func(r *round) blow {
		ballast := crews.Fill(s.T, disk)
		r.untilFull(server)
		return blow{heal: func() {
			if err := os.Remove(ballast); err != nil {
				s.Fatal(err)
			}
			up()
		}, done: recovered}
	}}
}

// runner is a server, which may end by itself.
type runner interface{ Runs() bool }

// untilFull lets processes receive until one is told that the disk is full, or the server
// has ended because of it, unless this is a history, whose processes go on by themselves.
func (r *round) untilFull(server runner) {
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
