package badgerkv

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"

	"github.com/pawlkv/pawl/kv/internal/wire"
)

// Files of ours in the directory, beside Badger's.
const (
	lockName     = "pawl.lock"     // locked by the process that owns the store
	sockName     = "pawl.sock"     // where the owner answers the others
	formatName   = "pawl.format"   // says that this is a store, its format, and its ID
	creatingName = "pawl.creating" // the same before anything was stored
)

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// errHeld: another process owns the store, or is about to.
var errHeld = errors.New("badgerkv: another process owns the store")

// directory is a store's, locked.
type directory struct {
	path string
	lock *flock.Flock
	self fs.FileInfo // of the directory when it was locked
	id   wire.ID
}

// openDirectory locks the directory of a store, or returns errHeld. Unless the
// store is known, it makes one where there is none or the directory is empty;
// the parent must exist.
func openDirectory(path string, known *wire.ID) (*directory, error) {
	if known == nil {
		if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("badgerkv: make the store: %w", err)
		}
		if err := checkOurs(path); err != nil {
			return nil, err
		}
	} else if err := checkSame(path, *known); err != nil {
		return nil, err
	}
	d := &directory{path: path, lock: flock.New(filepath.Join(path, lockName), flock.SetPermissions(fileMode))}
	locked, err := d.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("badgerkv: lock the store: %w", err)
	}
	if !locked || !d.holds() {
		return nil, errors.Join(errHeld, d.close())
	}
	if d.self, err = os.Stat(path); err == nil {
		err = alone(path, d.prepare)
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// holds reports whether what we have locked is still the store's lock file: if
// somebody has removed it, or the directory, another process may have locked
// the next one.
func (d *directory) holds() bool {
	if !d.lock.Locked() {
		return false
	}
	ours, err := d.lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(d.file(lockName))
	return err == nil && os.SameFile(ours, there)
}

// isThere reports whether the path still leads to the directory.
func (d *directory) isThere() bool {
	now, err := os.Stat(d.path)
	return err == nil && os.SameFile(d.self, now)
}

// checkOurs refuses a directory with other people's files, before anything in
// it is changed.
func checkOurs(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return fmt.Errorf("badgerkv: open the store: %w", err)
	}
	has := func(name string) bool {
		return slices.ContainsFunc(entries, func(e os.DirEntry) bool { return e.Name() == name })
	}
	switch {
	case has(formatName), has(creatingName), len(entries) == 0, len(entries) == 1 && has(lockName):
		return nil
	}
	// A listing may miss a file that is being renamed.
	for _, name := range []string{creatingName, formatName} {
		if _, err := os.Lstat(filepath.Join(path, name)); err == nil {
			return nil
		}
	}
	return ErrForeign
}

// prepare brings the directory to where Badger's files may be checked.
func (d *directory) prepare() error {
	if err := os.Chmod(d.path, dirMode); err != nil {
		return fmt.Errorf("badgerkv: make the store private: %w", err)
	}
	switch id, err := readFormat(d.file(formatName)); {
	case errors.Is(err, fs.ErrNotExist):
		return d.begin()
	case err != nil:
		return err
	default:
		d.id = id
	}
	return d.tidy()
}

// begin makes a new store, after one that was not finished if need be. Nothing
// has ever been stored in that one, since opening it did not return.
func (d *directory) begin() error {
	if err := checkOurs(d.path); err != nil {
		return err
	}
	if _, err := readFormat(d.file(creatingName)); errors.Is(err, ErrNewer) {
		return err
	}
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return fmt.Errorf("badgerkv: open the store: %w", err)
	}
	for _, e := range entries {
		if name := e.Name(); name != lockName && name != creatingName {
			if err := os.RemoveAll(d.file(name)); err != nil {
				return fmt.Errorf("badgerkv: begin the store again: %w", err)
			}
		}
	}
	rand.Read(d.id[:]) // never fails
	if err := writeFile(d.file(creatingName), formatFile(d.id)); err != nil {
		return fmt.Errorf("badgerkv: make the store: %w", err)
	}
	return syncDir(d.path)
}

// creating reports whether the store was not finished yet.
func (d *directory) creating() bool {
	_, err := os.Lstat(d.file(creatingName))
	return err == nil
}

// finish makes a new store a store.
func (d *directory) finish() error {
	if !d.creating() {
		return nil
	}
	if err := os.Rename(d.file(creatingName), d.file(formatName)); err != nil {
		return fmt.Errorf("badgerkv: make the store: %w", err)
	}
	return syncDir(d.path)
}

func (d *directory) file(name string) string { return filepath.Join(d.path, name) }

func (d *directory) close() error { return d.lock.Close() }

func writeFile(path, text string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Sync(), file.Close())
}
