package badgerkv

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv/internal/intact"
	"github.com/pawlkv/pawl/kv/sharekv"
)

// Salvaged is what can be read of a store that does not open.
type Salvaged struct {
	// Entries are those that can be read, in the order of their keys, each in its
	// newest version of which that is so. They need not fit together: of what one
	// commit wrote some may be there and some not, and what was deleted may be
	// there again.
	Entries []kv.Entry
	// Faults are all that is wrong with the files, each a kv.ErrCorrupt or why a
	// file could not be read. There are none of a store that opens.
	Faults []error
}

// Salvage reads what can be read in the files of a store, and says all that is
// wrong with them. It changes nothing, and keeps others from opening the store
// meanwhile: kv.ErrInUse if somebody has it open. Other errors: ErrForeign,
// ErrNewer, and those of the file system.
func Salvage(dir string) (found Salvaged, err error) {
	if err := checkOurs(dir, dir); err != nil && !hasTables(dir) {
		return found, err
	}
	unlock, err := lockForSalvage(dir)
	if err != nil {
		return found, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	err = alone(dir, func() error {
		found, err = salvageFiles(dir)
		return err
	})
	if errors.Is(err, sharekv.ErrHeld) {
		err = fmt.Errorf("%w: %s", kv.ErrInUse, dir)
	}
	return found, err
}

// hasTables reports whether there are files of Badger's in a directory, as in a
// store that has lost the file which says what it is.
func hasTables(dir string) bool {
	for _, pattern := range []string{"*.sst", "*.mem"} {
		if names, err := fs.Glob(os.DirFS(dir), pattern); err == nil && len(names) > 0 {
			return true
		}
	}
	return false
}

func salvageFiles(dir string) (found Salvaged, err error) {
	switch _, _, err := readFormat(filepath.Join(dir, formatName)); {
	case errors.Is(err, ErrNewer):
		return found, err
	case errors.Is(err, fs.ErrNotExist):
		found.Faults = append(found.Faults, fmt.Errorf("%w: %s: the file is missing", kv.ErrCorrupt, formatName))
	case err != nil:
		found.Faults = append(found.Faults, err)
	}
	s := salvage{entries: map[string]version{}, pieces: map[string]version{}}
	layout := intact.Layout{Dir: dir, Magic: magic, MaxLevels: maxLevels, LogSize: logSize, Durable: syncedBy}
	found.Faults = append(found.Faults, layout.Salvage(s.take)...)
	found.Entries = s.all()
	return found, nil
}

// lockForSalvage locks the directory as an owner does.
func lockForSalvage(dir string) (unlock func() error, err error) {
	if err := files.ClearIrregular(filepath.Join(dir, lockFile)); err != nil {
		return nil, fmt.Errorf("badgerkv: lock the store: %w", kv.OfSystem(err))
	}
	lock := flock.New(filepath.Join(dir, lockFile), flock.SetFlag(os.O_RDWR|os.O_CREATE), flock.SetPermissions(fileMode))
	ok, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("badgerkv: lock the store: %w", kv.OfSystem(err))
	case !ok:
		return nil, errors.Join(fmt.Errorf("%w: %s", kv.ErrInUse, dir), lock.Close())
	}
	return lock.Close, nil
}

// lockFile is what sharekv locks.
const lockFile = "pawl.lock"

// version is the newest version of a key so far.
type version struct {
	number  uint64
	value   []byte
	pieces  byte
	deleted bool
}

// salvage collects the newest versions.
type salvage struct {
	entries map[string]version
	pieces  map[string]version // by the key of Badger's
}

func (s *salvage) take(e intact.Entry) {
	if len(e.Key) < 2 {
		return
	}
	to, key := s.entries, string(e.Key[1:])
	switch e.Key[0] {
	case entryPrefix:
	case piecePrefix:
		to, key = s.pieces, string(e.Key)
	default:
		return
	}
	if had, ok := to[key]; ok && had.number >= e.Version {
		return
	}
	to[key] = version{e.Version, bytes.Clone(e.Value), e.Meta, e.Deleted}
}

// all returns the entries that were not deleted. One whose pieces are not all
// there is cut off: whoever reads it will notice.
func (s *salvage) all() (all []kv.Entry) {
	for key, e := range s.entries {
		if e.deleted {
			continue
		}
		value := e.value
		for n := 1; n <= int(e.pieces); n++ {
			p, ok := s.pieces[string(pieceKey(key, n))]
			if !ok || p.deleted || p.number != e.number {
				break
			}
			value = append(value, p.value...)
		}
		all = append(all, kv.Entry{Key: key, Value: value, Version: kv.Version(e.number)})
	}
	slices.SortFunc(all, func(a, b kv.Entry) int { return strings.Compare(a.Key, b.Key) })
	return all
}
