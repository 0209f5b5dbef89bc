package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv/internal/intact"
	"github.com/pawlkv/pawl/kv/internal/grouping"
)

// engine owns Badger: the locked directory, the open database, and the
// committer that alone writes to it. A Store is a face of it.
type engine struct {
	settings
	dir   *directory
	views *views

	queue     *grouping.Queue
	committer *committer

	// gate is held for the time of a read, and taken by whoever closes Badger:
	// its memory maps must not go away under a reader.
	gate   sync.RWMutex
	db     *badger.DB // nil when closed
	closed bool

	keeper  *keeper
	tables  atomic.Uint64 // bytes in tables, when last looked
	closing sync.Once
	failure error // of closing
}

// openEngine checks a directory and opens Badger on it. The directory is the
// engine's from now on, also if that fails.
func openEngine(dir *directory, set settings) (*engine, error) {
	e := &engine{settings: set, dir: dir, queue: grouping.NewQueue()}
	e.keeper = newKeeper(e.keep)
	e.committer = newCommitter(e)
	if err := e.openAll(); err != nil {
		return nil, errors.Join(err, e.closeBadger(), e.keeper.close(), dir.close())
	}
	return e, nil
}

func (e *engine) openAll() error {
	if err := e.checkRoom(); err != nil {
		return fmt.Errorf("badgerkv: open %s: %w", e.name, err)
	}
	if err := e.openBadger(serving); err != nil {
		return err
	}
	if err := e.committer.load(); err != nil {
		return err
	}
	e.views = newViews(kv.Version(e.committer.head))
	e.db.SetDiscardTs(e.committer.head)
	return e.dir.finish()
}

// start begins to commit. publish is told of each version when it is visible,
// and deposed is called if the directory turns out not to be ours any more.
func (e *engine) start(publish func(kv.Version, ...[]kv.Write), deposed func()) {
	e.committer.publish, e.committer.deposed = publish, deposed
	go e.committer.run()
}

// commit hands a batch with writes to the committer.
func (e *engine) commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	r := grouping.NewRequest(b)
	if err := e.queue.Add(r); err != nil {
		return 0, err
	}
	return r.Wait(ctx)
}

// mode is what Badger is opened for.
type mode int

const (
	serving mode = iota
	flattening
)

// openBadger checks the files and opens Badger on them. If level 0 has too many
// tables it merges them when it is closed: each opening adds one, and a process
// that ends soon leaves no time for it. Callers hold the gate or are alone.
func (e *engine) openBadger(m mode) error {
	var found intact.Found
	err := alone(e.dir.path, func() (err error) { found, err = e.checkFiles(); return err })
	if err != nil {
		return fmt.Errorf("badgerkv: open %s: %w", e.name, err)
	}
	options := badgerOptions(e.dir.path, e.logger, e.keeper.wake).
		WithCompactL0OnClose(m == flattening || found.Fresh >= maxFresh)
	if m == flattening {
		options.BaseLevelSize = 1 << 40 // more than there is: level 0 is merged into the last
	}
	if e.db, err = openDB(options); err != nil {
		return fmt.Errorf("badgerkv: open %s: %w", e.name, err)
	}
	if head := e.db.MaxVersion(); head != found.Head {
		return fmt.Errorf("badgerkv: open %s: %w: Badger has versions up to %d of %d", e.name, kv.ErrCorrupt, head, found.Head)
	}
	return e.keep()
}

// checkFiles returns what is in the files if they are whole.
func (e *engine) checkFiles() (intact.Found, error) {
	if e.dir.creating() {
		return intact.Found{}, nil
	}
	layout := intact.Layout{
		Dir: e.dir.path, Magic: magic, MaxLevels: maxLevels, LogSize: logSize, Durable: syncedBy,
	}
	found, err := layout.Check()
	if err != nil {
		return found, err
	}
	return found, syncLogs(e.dir.path)
}

// keep looks after files that Badger has written.
func (e *engine) keep() error {
	tables, err := e.dir.makePrivate()
	e.tables.Store(tables)
	return err
}

// openDB opens Badger, which may panic on what it does not expect.
func openDB(options badger.Options) (db *badger.DB, err error) {
	defer func() {
		if r := recover(); r != nil {
			db, err = nil, fmt.Errorf("%w: Badger cannot open it: %v", kv.ErrCorrupt, r)
		}
	}()
	// A memtable is one large allocation, of which most is not used for long. If
	// it lies where the heap has been before, the runtime clears all of it and so
	// makes it resident. What our checks have left there is covered meanwhile.
	cover := make([]byte, memTable/4)
	defer runtime.KeepAlive(cover)
	if db, err = badger.OpenManaged(options); err != nil {
		return nil, err // Badger returns a database beside some errors
	}
	return db, nil
}

// read calls fn with the database, which stays open meanwhile.
func (e *engine) read(fn func(db *badger.DB) error) (err error) {
	e.gate.RLock()
	defer e.gate.RUnlock()
	if e.closed {
		return kv.ErrClosed
	}
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: Badger cannot read it: %v", kv.ErrCorrupt, r)
		}
	}()
	return fn(e.db)
}

func (e *engine) checkOpen() error {
	return e.read(func(*badger.DB) error { return nil })
}

// stop lets the committer finish the group that it is at, and no more.
func (e *engine) stop() {
	e.queue.Close()
	<-e.committer.ended
}

// close stops, closes Badger and gives the directory back.
func (e *engine) close() error {
	e.closing.Do(func() {
		e.stop()
		e.gate.Lock()
		defer e.gate.Unlock()
		e.closed = true
		if !e.dir.isThere() {
			e.failure = errors.Join(e.abandon(), e.keeper.close(), e.dir.close())
			return
		}
		e.failure = errors.Join(e.closeBadger(), e.keeper.close(), e.keep(), e.dir.close())
	})
	return e.failure
}

// abandon leaves Badger open on a directory that was removed or replaced.
// Closing it would try for ever to write its memtable by the path, or write it
// into another store.
func (e *engine) abandon() error {
	e.logger.Error("the store's directory was removed or replaced: what is left of it in memory is kept until the process ends")
	return fmt.Errorf("badgerkv: close: %w", errReplaced)
}

// closeBadger closes Badger if it is open. Callers hold the gate.
func (e *engine) closeBadger() error {
	if e.db == nil {
		return nil
	}
	db := e.db
	e.db = nil
	if err := db.Close(); err != nil {
		return fmt.Errorf("badgerkv: close: %w", err)
	}
	return nil
}
