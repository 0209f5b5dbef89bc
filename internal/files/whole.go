package files

import (
	"errors"
	"os"
	"path/filepath"
)

// newInfix stands in the name of a file that is not whole yet, before a random number.
const newInfix = ".new-"

// Whole is a new file that gets its name when it is whole and on the disk. Until then
// nobody finds it but this process, which removes it if it is not finished; what a
// process leaves that was ended meanwhile has another name.
type Whole struct {
	*os.File
	path string
}

// CreateWhole begins a file that nobody else may read. It fails with fs.ErrExist if
// there is one of this name, whatever it is.
func CreateWhole(path string) (*Whole, error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, &os.PathError{Op: "create", Path: path, Err: os.ErrExist}
	}
	file, err := os.OpenFile(path+newInfix+RandomName(), os.O_WRONLY|os.O_CREATE|os.O_EXCL, ownMode)
	if failed := new(os.PathError); errors.As(err, &failed) {
		failed.Path = path // that is the name which the caller knows
	}
	if err != nil {
		return nil, err
	}
	return &Whole{file, path}, nil
}

// Finish gives the file its name. It fails with fs.ErrExist, and there is no file then,
// if somebody else made one of this name meanwhile.
func (w *Whole) Finish() error {
	if err := errors.Join(w.Sync(), w.Close()); err != nil {
		return errors.Join(err, w.remove())
	}
	if err := MoveToFree(w.Name(), w.path); err != nil {
		return errors.Join(err, w.remove())
	}
	return SyncDir(filepath.Dir(w.path))
}

// Abandon removes what there is of the file.
func (w *Whole) Abandon() error { return errors.Join(w.Close(), w.remove()) }

func (w *Whole) remove() error { return RemoveIfThere(w.Name()) }
