package sharekv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
)

// Files of sharekv in a store's directory, beside the engine's.
const (
	lockName   = "pawl.lock" // locked by the process that owns the store
	socketName = "pawl.sock" // where the owner answers the others
)

// IsOwn reports whether a file in a store's directory is sharekv's, so that the
// engine leaves it alone.
func IsOwn(name string) bool {
	return name == lockName || name == socketName || strings.Contains(name, files.ReplacedInfix)
}

const (
	dirMode  = 0o700
	fileMode = 0o600
)

// ErrHeld: another process owns the store, or is about to.
var ErrHeld = errors.New("sharekv: another process owns the store")

// errReplaced: what was opened is no longer at its path.
var errReplaced = fmt.Errorf("%w: its directory was removed or replaced: close the store and open it again", kv.ErrUnusable)

// Place is the directory of a store while this process has it locked. It is what
// an engine is opened in.
type Place struct {
	Path string // absolute
	Name string // the same as the caller calls it, for messages

	lock  *flock.Flock
	self  fs.FileInfo // of the directory when it was locked
	owner *owner      // who is told; set before the engine is opened
}

// Held reports whether this process still has the place: if somebody has removed
// the lock file, or the directory, another process may have locked the next one.
// The owner that finds so ends.
func (p *Place) Held() bool {
	if p.IsLocked() {
		return true
	}
	p.GiveUp()
	return false
}

// GiveUp ends the owner: its engine has failed for good, and another process, or
// this one, shall open it again. It returns at once.
func (p *Place) GiveUp() {
	if p.owner != nil {
		p.owner.depose()
	}
}

// Show calls show, which makes a version visible and returns it with what each of
// its commits wrote, and tells who watches. Version 0 is that nothing is new.
// Versions rise from call to call. Nobody begins to watch in between: who had seen
// the version by then, and watched from there, would be told of it.
func (p *Place) Show(show func() (version kv.Version, commits [][]kv.Write)) {
	p.owner.showing.Lock()
	defer p.owner.showing.Unlock()
	if version, commits := show(); version != 0 {
		p.owner.hub.Publish(version, commits...)
	}
}

// IsThere reports whether the path still leads to the directory.
func (p *Place) IsThere() bool {
	found, err := os.Stat(p.Path)
	return err == nil && os.SameFile(p.self, found)
}

// File returns the path of a file in the directory.
func (p *Place) File(name string) string { return filepath.Join(p.Path, name) }

// CheckNames refuses a file that other directories have too: whoever copies a
// store by hard links changes both where a file is written in place. One that is
// not there is all right.
func (p *Place) CheckNames(name string) error {
	info, err := os.Lstat(p.File(name))
	if err != nil || !info.Mode().IsRegular() || files.Names(p.File(name), info) < 2 {
		return nil
	}
	return fmt.Errorf("%w: %s in %s has %d names (hard links), so it is a copy's, too: remove one of the two, and copy a store to copy it",
		kv.ErrUnusable, name, p.Name, files.Names(p.File(name), info))
}

// lockPlace locks the directory of a store and prepares it, or returns ErrHeld.
// Unless the store is known, the directory is made if there is none; its parent
// must exist.
func lockPlace(path, name string, opener Opener, known *ID) (*Place, error) {
	if err := checkPlace(path, opener, known); err != nil {
		return nil, err
	}
	if uid, another := files.Another(path, path); another {
		return nil, fmt.Errorf("%w: %s belongs to user %d, and this process to user %d: run it as that one", ErrStranger, name, uid, os.Geteuid())
	}
	p := &Place{Path: path, Name: name}
	if err := p.clearLock(); err != nil {
		return nil, fmt.Errorf("sharekv: lock the store: %w", err)
	}
	if err := p.CheckNames(lockName); err != nil {
		return nil, err
	}
	p.lock = flock.New(p.File(lockName), flock.SetFlag(files.LockFlag), flock.SetPermissions(fileMode))
	locked, err := p.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("sharekv: lock the store: %w", err)
	}
	if !locked || !p.IsLocked() {
		return nil, errors.Join(ErrHeld, p.unlock())
	}
	if p.self, err = os.Stat(path); err == nil {
		err = p.prepare(opener)
	}
	if err != nil {
		return nil, errors.Join(err, p.unlock())
	}
	return p, nil
}

// clearLock removes what lies where the lock file was and is none. Whoever has
// locked that finds out, as if it had been removed.
func (p *Place) clearLock() error {
	path := p.File(lockName)
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return files.Clear(path)
	case info.Mode().Perm()&0o400 == 0:
		return os.Chmod(path, fileMode)
	}
	return nil
}

// checkPlace makes sure before anything is touched that the store that we know
// is in the directory, or that there is or may be one if we know none.
func checkPlace(path string, opener Opener, known *ID) error {
	if known == nil {
		if err := os.Mkdir(path, dirMode); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("sharekv: make the store: %w", err)
		}
	}
	id, err := opener.Identify(path)
	if errors.Is(err, fs.ErrPermission) {
		id, err = identifyOpened(path, opener, err)
	}
	switch missing := errors.Is(err, fs.ErrNotExist); {
	case known == nil && missing:
		return nil
	case missing:
		return fmt.Errorf("%w: %w", errReplaced, err)
	case err != nil:
		return unidentified{err}
	case known != nil && id != *known:
		return fmt.Errorf("%w: %s has another store", errReplaced, path)
	}
	return nil
}

// identifyOpened identifies a store whose directory has lost the rights that it
// has as one of ours, if the system lets us give them back.
func identifyOpened(path string, opener Opener, failure error) (ID, error) {
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm()&dirMode == dirMode || os.Chmod(path, info.Mode().Perm()|dirMode) != nil {
		return ID{}, failure
	}
	id, err := opener.Identify(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		err = errors.Join(err, os.Chmod(path, info.Mode().Perm()))
	}
	return id, err
}

func (p *Place) prepare(opener Opener) error {
	if err := os.Chmod(p.Path, dirMode); err != nil {
		return fmt.Errorf("sharekv: make the store private: %w", err)
	}
	return opener.Prepare(p)
}

// IsLocked is Held, and ends nobody: for who need not be the owner yet.
func (p *Place) IsLocked() bool {
	if !p.lock.Locked() {
		return false
	}
	ours, err := p.lock.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(p.File(lockName))
	return err == nil && os.SameFile(ours, there)
}

func (p *Place) unlock() error { return p.lock.Close() }
