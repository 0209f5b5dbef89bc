//go:build unix

package processes_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/kv"
)

// soon is the deadline of calls where the store may be gone in the middle of a
// commit: what became of it is asked for until then.
const soon = 3 * time.Second

// TestDirectoryRemoved removes the directory under processes at work. They are
// refused from then on, make nothing in its place, and take no other device's
// store there for theirs.
func TestDirectoryRemoved(t *testing.T) {
	eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
		t.Parallel()
		dir := filepath.Join(t.TempDir(), "store")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		setup := processes.Setup{Engine: engine, Dir: dir, Patience: unhurried}
		hurried := setup
		hurried.Within = soon
		c := newFamily(t, hurried, other, kv.ErrUnusable, kv.ErrUnknown, context.DeadlineExceeded)
		w := c.NewWork(c.Members...)
		wait := w.Begin()
		c.Pause(instant)
		remove(t, dir)
		wait()
		c.wantUnusable("was removed")
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the directory is there again: %v", err)
		}
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		next := newFamily(t, setup, other)
		c.wantUnusable("was replaced")
		next.Redeliver(next.Letter(false))
		next.End()
		c.Judge() // what they released before is as good as ever
	})
}

// remove removes a directory in which others may make files meanwhile.
func remove(t *testing.T, dir string) {
	t.Helper()
	for late := time.Now().Add(processes.Patience); ; {
		err := os.RemoveAll(dir)
		if err == nil {
			return
		}
		if !errors.Is(err, syscall.ENOTEMPTY) || time.Now().After(late) {
			t.Fatal(err)
		}
	}
}

// wantUnusable checks that no process receives or sends.
func (c *crew) wantUnusable(what string) {
	c.Helper()
	l := c.Letter(false)
	for _, m := range c.Members {
		receiving := untimely(func() error { _, err := m.Receive(c.Context(), l); return err })
		sending := untimely(func() error {
			_, err := m.Machine.Encrypt(c.Context(), c.Bob.Identity(), []byte("text"))
			return err
		})
		if !errors.Is(receiving, kv.ErrUnusable) || !errors.Is(sending, kv.ErrUnusable) {
			c.Errorf("of a store that %s, %s says %v and %v, want %v", what, m.Name, receiving, sending, kv.ErrUnusable)
		}
	}
}

// untimely makes a call until it ends before its own deadline: the machine may
// be busy.
func untimely(call func() error) error {
	for late := time.Now().Add(processes.Patience); ; {
		if err := call(); !errors.Is(err, context.DeadlineExceeded) || time.Now().After(late) {
			return err
		}
	}
}
