package sqlitekv

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/internal/holder"
	"github.com/pawlkv/pawl/kv"
)

// Files beside the database, named after it.
const (
	gateSuffix    = "-gate"    // locked by the process that commits; holds the newest synced version
	turnsSuffix   = "-turns"   // turns of all processes, locked while it is changed
	newSuffix     = "-new"     // a store that is being made
	witnessSuffix = ".witness" // how far the store had come, for whoever asks Store.Witness
	logSuffix     = "-wal"     // SQLite's
	indexSuffix   = "-shm"     // SQLite's
	journalSuffix = "-journal" // SQLite's, which looks for one and makes none in a store
)

// gate lets one process at a time commit. Processes wait for its lock in the
// kernel, which wakes them in the order in which they came; SQLite's own waiting
// is by looking again after a while, and starves some.
//
// A goroutine waits for the lock, since a wait in the kernel cannot be ended. One
// that nobody waits for any longer goes on, and lets go at once. A process that
// is stopped while it waits holds up nobody.
type gate struct {
	lock *flock.Flock
	kick chan struct{} // has room for one

	mu     sync.Mutex
	asked  chan error // yields when the lock is held; nil when nobody wants them
	held   bool
	busy   bool // the goroutine is at it
	closed bool
}

func newGate(path string) *gate {
	g := &gate{
		lock: flock.New(path+gateSuffix, flock.SetFlag(files.LockFlag), flock.SetPermissions(fileMode)),
		kick: make(chan struct{}, 1),
	}
	go g.keep()
	return g
}

// ask begins to wait. The channel yields nil when the gate is the caller's,
// until release, or why it cannot be had.
func (g *gate) ask() <-chan error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = make(chan error, 1)
	if g.closed {
		g.asked <- kv.ErrClosed
		return g.asked
	}
	if !g.busy {
		g.busy = true
		g.kick <- struct{}{}
	}
	return g.asked
}

// try takes the gate if that is to be had at once, as ask does otherwise. Whatever is
// wrong with it is left to ask.
func (g *gate) try() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed || g.busy || g.held {
		return false
	}
	if locked, err := g.lock.TryLock(); !locked || err != nil || !g.isFile() {
		g.lock.Unlock()
		return false
	}
	g.held = true
	return true
}

// release lets others commit, or gives up waiting.
func (g *gate) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = nil
	if g.held {
		g.held = false
		g.lock.Unlock()
	}
}

// keptFor is why the gate of a file was not had in time.
func keptFor(path string, wait time.Duration) error {
	return fmt.Errorf("%w: %s has kept the store's lock for %v: is it stopped?", kv.ErrUnavailable, holder.Name(path+gateSuffix), wait)
}

// close gives up for good.
func (g *gate) close() {
	g.release()
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.closed {
		g.closed = true
		close(g.kick)
	}
}

func (g *gate) keep() {
	for range g.kick {
		err := g.take()
		g.mu.Lock()
		g.busy = false
		switch {
		case g.asked == nil:
			if err == nil {
				g.lock.Unlock()
			}
		default:
			g.held = err == nil
			g.asked <- err
		}
		g.mu.Unlock()
	}
}

// take waits for the lock. What lies in the place of its file meanwhile, or a file that
// has lost its rights, is put right once: only advice and the newest version are in it.
func (g *gate) take() error {
	err := g.lock.Lock()
	if err == nil && g.isFile() {
		return nil
	}
	g.lock.Unlock()
	if e := files.ClearIrregular(g.lock.Path()); e != nil {
		return e
	}
	file, e := files.OpenOwn(g.lock.Path(), files.LockFlag)
	if e != nil {
		return e
	}
	return errors.Join(file.Close(), g.lock.Lock())
}

func (g *gate) isFile() bool {
	info, err := g.lock.Stat()
	return err == nil && info.Mode().IsRegular()
}
