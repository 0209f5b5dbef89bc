package processes_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/interop/processes/crews"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/kv"
)

var noMount = flag.Bool("processes.nomount", false, "do as if no file system could be mounted")

// room is how large the disk of an engine is.
var room = map[string]string{processes.Badger: "160m", processes.SQLite: "3m"}

// fileSize is how large a file may become where no disk of our own can be had.
const fileSize = 600 << 10

// TestFullDisk fills the disk while all work. Commits are refused, reading goes
// on, a process that is killed meanwhile changes nothing, and when there is room
// again so does everything.
func TestFullDisk(t *testing.T) {
	eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
		t.Parallel()
		disk, mounted := mount(t, room[engine])
		setup := processes.Setup{Engine: engine, Dir: filepath.Join(disk, "store"), Patience: unhurried, Within: processes.Patience}
		if err := os.Mkdir(setup.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
		full := kv.ErrDiskFull
		switch {
		case !mounted && engine == processes.Badger:
			// Its files have their size from the beginning.
			t.Log("NOT SHOWN: NO DISK CAN BE MOUNTED HERE. TestDiskFull of badgerkv tells the engine that the disk is full instead")
			return
		case !mounted:
			t.Logf("NO DISK CAN BE MOUNTED HERE: instead, no process may write a file of more than %d bytes", fileSize)
			setup.FileSize, full = fileSize, kv.ErrUnavailable
		}
		c := newFamily(t, setup, other, kv.ErrDiskFull, processes.ErrGone)
		var ballast string
		if mounted {
			ballast = crews.Fill(t, disk)
		}
		refused := c.untilFull(full)
		if _, err := c.Any().Machine.Inspect(t.Context()); err != nil {
			t.Errorf("reading from a full disk: %v", err)
		}
		w := c.NewWork(c.Members...)
		wait := w.Begin()
		c.Pause(instant)
		victim := c.Owner()
		victim.Process.Doom()
		wait()
		c.Kill(victim)
		if mounted {
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		} else {
			for len(c.Members) > 0 {
				c.Close(c.Members[0])
			}
			c.Setup.FileSize = 0
			c.Start(names[0])
			c.Start(names[1])
		}
		c.Redeliver(append(w.Letters, refused)...)
		c.Start(victim.Name)
		c.Redeliver(c.Letter(false))
		c.End()
	})
}

// mount returns a directory on a small file system of its own, and whether it is
// one.
func mount(t *testing.T, size string) (string, bool) {
	t.Helper()
	dir := t.TempDir()
	if *noMount {
		return dir, false
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Logf("mount: %v", err)
		return dir, false
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir, true
}

// mostUntilFull is far more than what fits where there is no room.
const mostUntilFull = 1000

// untilFull lets processes receive until one is told that the disk is full, and
// returns the message that it could not receive.
func (c *crew) untilFull(full error) *story.Letter {
	c.Helper()
	for range mostUntilFull {
		l := c.Letter(false)
		_, err := c.Any().Receive(c.Context(), l)
		switch {
		case errors.Is(err, full):
			return l
		case err != nil:
			c.Fatalf("receiving on a disk that fills: %v, want %v", err, full)
		}
	}
	c.Fatalf("%d messages were received on a full disk", mostUntilFull)
	return nil
}
