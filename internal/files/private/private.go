// Package private is directories for copies of what nobody else is to see, which do not
// outlive their processes for long.
package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/pawlkv/pawl/internal/files"
)

// Dir is a directory among the temporary ones that only this user may read. A process
// that is killed leaves it behind, and RemoveDead removes it: its process held a lock in
// it for as long as it lived.
type Dir struct {
	dir  string
	lock *flock.Flock
}

// What is in a private directory: the lock, and beside it all else, so that no name of
// that is the lock's.
const (
	lockName  = "lock"
	filesName = "files"
)

// tries bounds how often a directory is made that others take for one of a dead
// process, before it is locked.
const tries = 100

// New makes a directory, whose name begins with a prefix that stands for one use of
// them.
func New(prefix string) (*Dir, error) {
	for range tries {
		dir, err := os.MkdirTemp("", prefix)
		if err != nil {
			return nil, err
		}
		d, err := take(dir, os.O_CREATE)
		if err == nil && d != nil {
			if err = os.Mkdir(d.Path(), 0o700); err == nil {
				return d, nil
			}
			return nil, errors.Join(err, d.Remove())
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, errors.Join(err, os.RemoveAll(dir))
		}
	}
	return nil, fmt.Errorf("directories %s* in %s are removed as soon as they are made", prefix, os.TempDir())
}

// take locks a directory, or returns nothing if somebody else has it locked or
// has removed it.
func take(dir string, flag int) (*Dir, error) {
	lock := flock.New(filepath.Join(dir, lockName), flock.SetFlag(os.O_RDWR|files.NonBlock|flag), flock.SetPermissions(0o600))
	locked, err := lock.TryLock()
	if err == nil && locked && leadsTo(lock) {
		return &Dir{dir, lock}, nil
	}
	return nil, errors.Join(err, lock.Close())
}

// leadsTo reports whether a lock's file is still where it was opened.
func leadsTo(lock *flock.Flock) bool {
	opened, err := lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(lock.Path())
	return err == nil && os.SameFile(opened, there)
}

// Path is where files are put.
func (d *Dir) Path() string { return filepath.Join(d.dir, filesName) }

// Remove removes the directory. If that fails on the way, RemoveDead goes on with it once
// this process has ended.
func (d *Dir) Remove() error {
	if err := os.RemoveAll(d.Path()); err != nil {
		return errors.Join(err, d.lock.Close())
	}
	// Whoever takes the lock next sees that its file is gone. Where an open file cannot
	// be removed, neither can that of somebody who takes it meanwhile.
	removed := os.Remove(d.lock.Path())
	err := d.lock.Close()
	if removed != nil {
		removed = files.RemoveIfThere(d.lock.Path())
	}
	return errors.Join(err, removed, files.RemoveIfThere(d.dir))
}

// RemoveDead removes the directories of this user with a prefix whose processes
// are dead, as far as it can: what is left is for the next who asks. One without a lock
// is removed if it is empty: its process was killed before it had anything in it.
func RemoveDead(prefix string) {
	entries, err := os.ReadDir(os.TempDir())
	if err != nil {
		return
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		if info, err := e.Info(); err != nil || !files.IsOwn(info) {
			continue
		}
		dir := filepath.Join(os.TempDir(), e.Name())
		d, err := take(dir, 0)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			_ = os.Remove(dir)
		case err == nil && d != nil:
			_ = d.Remove()
		}
	}
}
