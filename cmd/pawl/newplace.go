package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/pawlkv/pawl/internal/files"
)

// What convert puts beside the place of a new store, after its name.
const (
	copyingInfix  = ".copying-" // and an id: a copy that nobody depends on
	movedInfix    = ".moved-"   // and an id: a whole copy, which retired accounts may name
	newLockSuffix = ".converting"
)

// sqliteSuffixes are those of the engine's own files beside an SQLite file.
var sqliteSuffixes = []string{"-wal", "-shm", "-journal", "-gate", "-turns", "-new"}

// aside is a place beside this one, for the same engine.
func (p place) aside(infix, id string) place {
	if p.server != nil {
		return place{server: p.server.aside(infix + id)}
	}
	return place{sqlite: p.sqlite, path: p.path + infix + id}
}

// requireFree refuses a place where there is a store, or what is left of one.
func (p place) requireFree(ctx context.Context) error {
	if there, err := p.exists(ctx); p.server != nil && (there || err != nil) {
		if err == nil {
			err = fmt.Errorf("%s is there already: give another place", p)
		}
		return err
	}
	taken := []string{p.path}
	if p.server != nil {
		taken = []string{p.keyFile()}
	}
	if p.sqlite {
		for _, suffix := range append([]string{keySuffix, witnessSuffix}, sqliteSuffixes...) {
			taken = append(taken, p.path+suffix)
		}
	}
	for _, path := range taken {
		switch _, err := os.Lstat(path); {
		case err == nil:
			return fmt.Errorf("%s is there already: give another place, or remove it", path)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return nil
}

func (p place) exists(ctx context.Context) (bool, error) {
	if p.server != nil {
		return p.server.exists(ctx)
	}
	_, err := os.Lstat(p.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// isAlso reports whether two names are of one SQLite file: a renaming was
// interrupted.
func (p place) isAlso(other place) (bool, error) {
	if p.server != nil {
		return false, nil
	}
	one, err := os.Lstat(p.path)
	if err != nil || !p.sqlite {
		return false, err
	}
	two, err := os.Lstat(other.path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(one, two), err
}

// rename gives a closed store another place, where there is none. That of an
// SQLite file leaves the engine's other files behind, which it makes again.
func (p place) rename(to place) error {
	if p.server != nil {
		return p.server.rename(to.server.name())
	}
	if !p.sqlite {
		if err := os.Rename(p.path, to.path); err != nil {
			return err
		}
		return files.SyncDir(filepath.Dir(to.path))
	}
	if log, err := os.Stat(p.path + "-wal"); err == nil && log.Size() > 0 {
		return fmt.Errorf("%s is in use", p)
	}
	if err := files.MoveToFree(p.path, to.path); err != nil {
		return err
	}
	return errors.Join(files.SyncDir(filepath.Dir(to.path)), p.removeAll())
}

// removeAll removes a store with all its files.
func (p place) removeAll() error {
	if p.server != nil {
		return p.server.remove()
	}
	err := os.RemoveAll(p.path)
	if p.sqlite {
		for _, suffix := range append([]string{keySuffix, keyLockSuffix, witnessSuffix}, sqliteSuffixes...) {
			err = errors.Join(err, files.RemoveIfThere(p.path+suffix))
		}
	}
	return errors.Join(err, files.SyncDir(filepath.Dir(p.path)))
}

// leftovers returns the files beside the place that have an infix after its
// name.
func (p place) leftovers(infix string) ([]string, error) {
	if p.server != nil {
		var found []string
		spaces, err := p.server.leftovers(infix)
		for _, s := range spaces {
			found = append(found, s.String())
		}
		return found, err
	}
	dir, prefix := filepath.Dir(p.path), filepath.Base(p.path)+infix
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var found []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	return found, nil
}

func (p place) removeLeftovers(infix string) error {
	if p.server != nil {
		spaces, err := p.server.leftovers(infix)
		for _, s := range spaces {
			err = errors.Join(err, s.remove())
		}
		return err
	}
	found, err := p.leftovers(infix)
	for _, path := range found {
		err = errors.Join(err, os.RemoveAll(path))
	}
	return err
}

// lockMode is for files that nobody else reads.
const lockMode = 0o600

// newLock is held by the one command that makes a store at a place.
type newLock struct{ *flock.Flock }

// lockNew fails at once if another command makes a store at the place.
func (p place) lockNew() (newLock, error) {
	path := p.path + newLockSuffix
	if p.server != nil {
		path = p.companion(newLockSuffix)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return newLock{}, err
		}
	}
	for {
		lock := flock.New(path, flock.SetPermissions(lockMode))
		ok, err := lock.TryLock()
		if err == nil && !ok {
			err = fmt.Errorf("another command is moving a store to %s", p)
		}
		if err != nil {
			return newLock{}, errors.Join(err, lock.Close())
		}
		// Whoever had it before may have removed the file since we opened it.
		ours, err := lock.Stat()
		if err != nil {
			return newLock{}, errors.Join(err, lock.Close())
		}
		if there, err := os.Lstat(path); err == nil && os.SameFile(ours, there) {
			return newLock{lock}, nil
		}
		if err := lock.Close(); err != nil {
			return newLock{}, err
		}
	}
}

// release removes the file and lets go of it. Where an open file cannot be
// removed it stays, and is in nobody's way.
func (l newLock) release() {
	_ = os.Remove(l.Path())
	_ = l.Close()
}
