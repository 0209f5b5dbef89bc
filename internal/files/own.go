package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ErrIrregular: a file's name leads to something else, a directory or a pipe, say.
var ErrIrregular = errors.New("not a regular file")

// ownMode is what a file of ours has.
const ownMode = 0o600

// LockFlag is how a file of ours is opened to be locked: it is made if it is not there,
// and a pipe in its place is not waited for.
const LockFlag = os.O_CREATE | os.O_RDONLY | NonBlock

// OpenOwn opens a file of ours: never anything but a regular file (ErrIrregular),
// so that it never waits for whoever would write to a pipe. One that has lost its
// rights gets them back, if it is this user's.
func OpenOwn(path string, flag int) (*os.File, error) {
	file, err := OpenRegular(path, flag)
	if !errors.Is(err, fs.ErrPermission) {
		return file, err
	}
	info, e := os.Lstat(path)
	if e != nil || !info.Mode().IsRegular() || info.Mode().Perm() == ownMode || os.Chmod(path, ownMode) != nil {
		return nil, err
	}
	return OpenRegular(path, flag)
}

// OpenRegular opens a regular file, and fails with ErrIrregular where there is
// something else.
func OpenRegular(path string, flag int) (*os.File, error) {
	file, err := os.OpenFile(path, flag|NonBlock, ownMode)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s: %w", path, ErrIrregular)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// ReadRegular reads all of a regular file, as OpenRegular opens it.
func ReadRegular(path string) ([]byte, error) {
	file, err := OpenRegular(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// ReplacedInfix, after the name of a file of ours and before a random one: a
// directory that lay there.
const ReplacedInfix = ".replaced-"

// Clear makes the name of a file of ours free. A directory with something in it,
// which nobody of us has put there, is kept under another name.
func Clear(path string) error {
	err := RemoveIfThere(path)
	if info, e := os.Lstat(path); err == nil || e != nil || !info.IsDir() {
		return err
	}
	return os.Rename(path, path+ReplacedInfix+RandomName())
}

// ClearIrregular clears a name that leads to anything but a regular file.
func ClearIrregular(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return Clear(path)
	}
	return nil
}
