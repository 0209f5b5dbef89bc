package badgerkv

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/dgraph-io/badger/v4"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv/internal/intact"
	"github.com/pawlkv/pawl/kv/internal/grouping"
	"github.com/pawlkv/pawl/kv/internal/latest"
	"github.com/pawlkv/pawl/kv/sharekv"
)

// database is Badger, open in a locked directory, and the committer that alone
// writes to it. It is what sharekv shares.
type database struct {
	settings
	dir      *directory
	versions *versions
	latest   *latest.Entries

	queue     *grouping.Queue
	committer *committer

	// gate is held for the time of a read, and taken by whoever closes Badger:
	// its memory maps must not go away under a reader.
	gate   sync.RWMutex
	db     *badger.DB // nil when closed
	closed bool

	keeper *keeper
	tables atomic.Uint64 // bytes in tables, when last looked
}

var (
	_ sharekv.LocalEngine = (*database)(nil)
	_ sharekv.Formatted   = (*database)(nil)
)

// openDatabase checks a directory that was prepared and opens Badger on it.
func openDatabase(dir *directory) (*database, error) {
	d := &database{settings: dir.settings, dir: dir, queue: grouping.NewQueue()}
	d.keeper = newKeeper(d.keep, d.lookAfter)
	d.committer = newCommitter(d)
	if err := d.openAll(); err != nil {
		return nil, errors.Join(err, d.closeBadger(), d.keeper.close())
	}
	go d.committer.run()
	return d, nil
}

func (d *database) openAll() error {
	if err := d.checkRoom(); err != nil {
		return fmt.Errorf("badgerkv: open %s: %w", d.dir.Name, err)
	}
	if err := d.openBadger(serving); err != nil {
		return err
	}
	if err := d.committer.load(); err != nil {
		return err
	}
	d.versions, d.latest = newVersions(kv.Version(d.committer.head)), latest.New(kv.Version(d.committer.head))
	d.db.SetDiscardTs(d.committer.head)
	return d.dir.finish()
}

// ID implements sharekv.LocalEngine.
func (d *database) ID() sharekv.ID { return d.dir.id }

// Format implements sharekv.Formatted.
func (d *database) Format() kv.Format { return kv.Format(d.dir.format.Load()) }

// Raise implements sharekv.Formatted.
func (d *database) Raise() error {
	if !d.dir.Held() {
		return kv.ErrClosed
	}
	return d.dir.raise()
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
func (d *database) openBadger(m mode) error {
	var found intact.Found
	err := alone(d.dir.Path, func() (err error) { found, err = d.checkFiles(); return err })
	if err != nil {
		return fmt.Errorf("badgerkv: open %s: %w", d.dir.Name, err)
	}
	options := badgerOptions(d.dir.Path, d.logger, d.keeper.wake).
		WithCompactL0OnClose(m == flattening || found.Fresh >= maxFresh)
	if m == flattening {
		options.BaseLevelSize = 1 << 40 // more than there is: level 0 is merged into the last
	}
	if d.db, err = openDB(options); err != nil {
		return fmt.Errorf("badgerkv: open %s: %w", d.dir.Name, err)
	}
	if head := d.db.MaxVersion(); head != found.Head {
		return fmt.Errorf("badgerkv: open %s: %w: Badger has versions up to %d of %d", d.dir.Name, kv.ErrCorrupt, head, found.Head)
	}
	return d.keep()
}

// checkFiles returns what is in the files if they are whole.
func (d *database) checkFiles() (intact.Found, error) {
	if d.dir.creating() {
		return intact.Found{}, nil
	}
	layout := intact.Layout{
		Dir: d.dir.Path, Magic: magic, MaxLevels: maxLevels, LogSize: logSize, Durable: syncedBy,
	}
	found, err := layout.Check()
	if err != nil {
		return found, err
	}
	return found, syncLogs(d.dir.Path)
}

// keep looks after files that Badger has written.
func (d *database) keep() error {
	tables, err := d.dir.makePrivate()
	d.tables.Store(tables)
	return err
}

// lookAfter keeps the file by which others know the store: without it they would
// take the directory for a damaged one as long as this process has it open.
func (d *database) lookAfter() {
	if !d.dir.IsThere() || !d.dir.IsLocked() {
		return
	}
	if renewed, err := d.dir.keepFormat(); err != nil {
		d.logger.Warn("other processes do not know the store", slog.Any("error", err))
	} else if renewed {
		d.logger.Warn("the store's " + formatName + " was removed or replaced, and is there again")
	}
}

// openDB opens Badger, which may panic on what it does not expect.
func openDB(options badger.Options) (db *badger.DB, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			db, err = nil, fmt.Errorf("badgerkv: Badger cannot open it: %w", ofBadger(r, kv.ErrCorrupt))
		default:
			db, err = nil, fmt.Errorf("%w: Badger cannot open it: %v", kv.ErrCorrupt, r)
		}
	}()
	// A memtable is one large allocation, of which most is not used for long. If
	// it lies where the heap has been before, the runtime clears all of it and so
	// makes it resident. What our checks have left there is covered meanwhile.
	cover := make([]byte, memTable/4)
	defer runtime.KeepAlive(cover)
	if db, err = badger.OpenManaged(options); err != nil {
		return nil, ofBadger(err, nil) // Badger returns a database beside some errors
	}
	return db, nil
}

// Stop implements sharekv.LocalEngine: the committer finishes the group that it
// is at, and no more.
func (d *database) Stop() {
	d.queue.Close()
	<-d.committer.ended
}

// Close implements sharekv.LocalEngine.
func (d *database) Close() error {
	d.Stop()
	d.gate.Lock()
	defer d.gate.Unlock()
	d.closed = true
	if !d.dir.IsThere() {
		return errors.Join(d.abandon(), d.keeper.close())
	}
	_, err := d.dir.keepFormat()
	return errors.Join(d.closeBadger(), d.keeper.close(), d.keep(), err)
}

// abandon leaves Badger open on a directory that was removed or replaced.
// Closing it would try for ever to write its memtable by the path, or write it
// into another store.
func (d *database) abandon() error {
	d.logger.Error("the store's directory was removed or replaced: what is left of it in memory is kept until the process ends")
	return errors.New("badgerkv: close: the store's directory was removed or replaced")
}

// closeBadger closes Badger if it is open. Callers hold the gate.
func (d *database) closeBadger() error {
	if d.db == nil {
		return nil
	}
	db := d.db
	d.db = nil
	if err := db.Close(); err != nil {
		return fmt.Errorf("badgerkv: close: %w", err)
	}
	return nil
}
