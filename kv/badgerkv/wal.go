package badgerkv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"
)

// wal syncs the log of Badger's active memtable.
//
// Badger's own ways to sync do not serve: SyncWrites syncs the value log before
// each memtable log, though it is empty, and DB.Sync does not say which of the
// logs it has synced. This one is right because of what Badger does:
//
//   - The active memtable has the log with the highest number. Only a write
//     replaces it: when it begins and finds the memtable full, it makes the next
//     one, numbered one higher, and goes there as a whole. All writes are the
//     committer's. So after a write its log is the next one if that exists by
//     now, and the same as before otherwise.
//   - A memtable is full when its log or its skip list has reached memTable.
//     used is never less than either. So while used is below, the next write
//     cannot replace the log, and from then on unsynced writes are synced
//     before the next one: a log never becomes inactive with unsynced writes in
//     it, and none is lost that precedes one that is kept.
//   - On Linux the pages of a shared mapping are the file's, and msync is fsync
//     of a range. Elsewhere the mapping is flushed, too.
type wal struct {
	dir    string
	db     *badger.DB
	number int
	file   *os.File
	next   string // name of the log that follows
	used   int    // at least what the memtable has taken of memTable
	dirty  bool   // there are unsynced writes
	synced uint64 // while dirty: the version before the first of them
	hook   func(string, func() error) error
	syncs  *syncs
}

// walFresh is more than an empty memtable has taken, and walEntry more than
// Badger adds to a key and a value: in the skip list a node of 96 bytes with up
// to 7 of padding, 8 of version and up to 12 of flags; in the log less.
const (
	walFresh = 512
	walEntry = 128
)

// walCost is at least what a memtable takes for the puts.
func walCost(puts []put) int {
	cost := walEntry // for the entry that ends a transaction
	for _, p := range puts {
		cost += walEntry + len(p.key) + len(p.value)
	}
	return cost
}

// logs are the names of the memtables' logs. Patterns (filepath.Glob) would take a
// directory that cannot be read for an empty one, and its own name for a part of
// them.
func logs(dir string) (names []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".mem") {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// openWAL finds the log of the memtable that Badger has just made.
func openWAL(dir string, db *badger.DB, set *settings) (*wal, error) {
	names, err := logs(dir)
	if err != nil {
		return nil, fmt.Errorf("badgerkv: find Badger's log: %w", err)
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("badgerkv: Badger made no log: %w", fs.ErrNotExist)
	}
	var numbers []int
	for _, name := range names {
		n, err := strconv.Atoi(strings.TrimSuffix(name, ".mem"))
		if err != nil {
			return nil, fmt.Errorf("badgerkv: the name of a log: %w", err)
		}
		numbers = append(numbers, n)
	}
	w := &wal{dir: dir, db: db, hook: set.hooks.sync, syncs: set.syncs}
	return w, w.use(slices.Max(numbers))
}

func (w *wal) name(number int) string { return filepath.Join(w.dir, fmt.Sprintf("%05d.mem", number)) }

// use goes to a new log and makes sure that it is found after a crash.
func (w *wal) use(number int) error {
	file, err := os.OpenFile(w.name(number), os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("badgerkv: the log of the memtable: %w", err)
	}
	if w.file != nil {
		w.file.Close()
	}
	w.number, w.file, w.next, w.used = number, file, w.name(number+1), walFresh
	return errors.Join(file.Chmod(fileMode), syncDir(w.dir))
}

// before prepares a write, which may replace the log.
func (w *wal) before() error {
	if w.dirty && w.used >= memTable {
		return w.sync()
	}
	return nil
}

// syncLogs syncs the logs that an earlier process has left. What it did not get
// to sync would otherwise be lost before what is committed now.
func syncLogs(dir string) error {
	names, err := logs(dir)
	if err != nil || len(names) == 0 {
		return err
	}
	for _, name := range names {
		file, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
		if err != nil {
			return fmt.Errorf("badgerkv: sync the logs: %w", err)
		}
		if err := errors.Join(file.Sync(), file.Close()); err != nil {
			return fmt.Errorf("badgerkv: sync the logs: %w", err)
		}
	}
	return syncDir(dir)
}

// after notes a write of a walCost, on top of the version head.
func (w *wal) after(cost int, head uint64) error {
	if _, err := os.Lstat(w.next); err == nil {
		if err := w.use(w.number + 1); err != nil {
			return err
		}
	}
	w.used += cost
	if !w.dirty {
		w.dirty, w.synced = true, head
	}
	return nil
}

func (w *wal) sync() error {
	sync := func() error { return flushLog(w.db, w.file) }
	if w.hook != nil {
		inner := sync
		sync = func() error { return w.hook(w.file.Name(), inner) }
	}
	defer w.syncs.add(time.Now())
	if err := sync(); err != nil {
		return fmt.Errorf("sync the log: %w", err)
	}
	w.dirty = false
	return nil
}

// pending returns at least what the memtables will take as tables: the active
// one, and those before it that were not written yet.
func (w *wal) pending() int {
	size := w.used
	for number := w.number - 1; number > 0; number-- {
		if info, err := os.Lstat(w.name(number)); err != nil || info.Size() == 0 {
			break
		}
		size += memTable
	}
	return size
}

func (w *wal) close() { w.file.Close() }

// syncs counts what the committers of a store have synced.
type syncs struct{ calls, nanos atomic.Int64 }

func (s *syncs) add(began time.Time) {
	s.calls.Add(1)
	s.nanos.Add(int64(time.Since(began)))
}
