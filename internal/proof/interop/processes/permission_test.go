//go:build unix

package processes_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/kv"
)

// nobody is the user that processes become where this one may do everything.
const nobody = 65534

// TestPermissionsTaken takes the right to the directory away while all work, and
// kills the owner: what goes on goes on right, what does not is refused, and when
// the right is back so is everything. Whoever opens a Badger store gives its
// directory the rights back that it must have; an SQLite store's directory is not
// its own, and nobody new gets in.
func TestPermissionsTaken(t *testing.T) {
	eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
		t.Parallel()
		dir, user := ownDirectory(t)
		c := newFamily(t, processes.Setup{Engine: engine, Dir: dir, User: user, Patience: unhurried, Within: soon}, other,
			processes.ErrGone, kv.ErrUnusable, kv.ErrUnknown, context.DeadlineExceeded)
		w := c.NewWork(c.Members...)
		wait := w.Begin()
		c.Pause(instant)
		if err := os.Chmod(dir, 0); err != nil {
			t.Fatal(err)
		}
		wait()
		want := map[string]error{processes.Badger: nil, processes.SQLite: kv.ErrUnusable}[engine]
		if _, err := c.TryStart("late"); !errors.Is(err, want) {
			t.Errorf("opening without the right to: %v, want %v", err, want)
		}
		victim := c.Owner()
		c.Kill(victim)
		after := c.NewWork(c.Members...)
		after.Begin()()
		c.Judge()
		if err := os.Chmod(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		c.Redeliver(append(w.Letters, after.Letters...)...)
		c.Start(victim.Name)
		c.Redeliver(c.Letter(false))
		c.EndUnhurried()
	})
}

// ownDirectory returns a directory whose permissions bind the processes that
// run as the user: nobody, if this one is above them, or else this one.
func ownDirectory(t *testing.T) (dir string, user int) {
	t.Helper()
	if os.Getuid() != 0 {
		return t.TempDir(), 0
	}
	base, err := os.MkdirTemp("", "pawl-permissions-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	dir = filepath.Join(base, "store")
	if err := errors.Join(os.Chmod(base, 0o755), os.Mkdir(dir, 0o700), os.Chown(dir, nobody, nobody)); err != nil {
		t.Fatal(err)
	}
	return dir, nobody
}
