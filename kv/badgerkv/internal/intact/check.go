package intact

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
)

// Layout is what the check has to know of the directory's owner.
type Layout struct {
	Dir       string
	Magic     uint16 // the owner's number in the manifest
	MaxLevels int    // tables are on levels below this
	LogSize   int64  // size of a memtable's log that was not cut after a replay
	// Durable returns the newest version that had been synced when the entry
	// was written, and whether it is an entry that tells.
	Durable func(key, value []byte) (uint64, bool)
}

// Found is what the files hold.
type Found struct {
	Head  uint64 // the newest version
	Fresh int    // tables on level 0, which were not merged yet
}

// Check returns what the files hold, or an error that is kv.ErrCorrupt or says
// why a file could not be read.
func (l *Layout) Check() (Found, error) {
	m, err := l.readManifest()
	if err != nil {
		return Found{}, err
	}
	names, err := l.tableFiles()
	if err != nil {
		return Found{}, err
	}
	tables, err := l.checkTables(m, names)
	if err != nil {
		return Found{}, err
	}
	head, err := l.checkLogs(tables)
	if err != nil {
		return Found{}, err
	}
	found := Found{Head: head}
	for _, table := range m.Tables {
		if table.Level == 0 {
			found.Fresh++
		}
	}
	return found, l.checkStrays(m, names, head)
}

// tableFiles returns the names of the table files by number.
func (l *Layout) tableFiles() (map[uint64]string, error) {
	numbers, err := l.numbered(".sst")
	if err != nil {
		return nil, err
	}
	names := make(map[uint64]string, len(numbers))
	for _, n := range numbers {
		names[n] = tableName(n)
	}
	return names, nil
}

func tableName(n uint64) string { return fmt.Sprintf("%06d.sst", n) }

// checkTables checks each table of the manifest and returns the newest version
// in them.
func (l *Layout) checkTables(m manifest, names map[uint64]string) (uint64, error) {
	var newest atomic.Uint64
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for n := range m.Tables {
		if _, there := names[n]; !there {
			_ = group.Wait()
			return 0, damaged(tableName(n), "the table is missing")
		}
		group.Go(func() error {
			version, err := checkTable(filepath.Join(l.Dir, tableName(n)))
			raise(&newest, version)
			return err
		})
	}
	err := group.Wait()
	return newest.Load(), err
}

// checkStrays finds tables that the manifest should have named. Those that a
// crash leaves behind hold copies only, and may be torn.
func (l *Layout) checkStrays(m manifest, names map[uint64]string, head uint64) error {
	for n, name := range names {
		if _, named := m.Tables[n]; named {
			continue
		}
		version, err := checkTable(filepath.Join(l.Dir, name))
		switch {
		case err != nil && !errors.Is(err, kv.ErrCorrupt):
			return err
		case err == nil && version > head:
			return damaged(manifestName, "it does not name the table %s, which holds version %d where all else ends at %d", name, version, head)
		}
	}
	return nil
}

func raise(v *atomic.Uint64, to uint64) {
	for {
		old := v.Load()
		if old >= to || v.CompareAndSwap(old, to) {
			return
		}
	}
}

// damaged returns a kv.ErrCorrupt for a file.
func damaged(name, format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", kv.ErrCorrupt, filepath.Base(name), fmt.Sprintf(format, args...))
}

// unreadable passes on why a file could not be read; one that has gone, or that is
// something else now, is damage.
func unreadable(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return damaged(name, "the file is missing")
	case errors.Is(err, files.ErrIrregular):
		return damaged(name, "it is not a regular file")
	}
	return fmt.Errorf("read %s: %w", filepath.Base(name), err)
}

// guard turns a panic of a decoder that was written for good bytes into damage.
func guard(name string, err *error) {
	if r := recover(); r != nil {
		*err = damaged(name, "it cannot be decoded (%v)", r)
	}
}
