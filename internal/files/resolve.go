package files

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// ErrDangling: a path is a link that leads to nothing, as to a disk that is not
// there now.
var ErrDangling = errors.New("a link that leads nowhere")

// Resolve returns the one name of a file or directory: absolute, and without
// links. What lies beside it is named after that, so that all who come by
// different names find the same. It need not exist, nor need its directory, but
// for one that ".." leads out of. Errors: ErrDangling, and those of the file system.
func Resolve(path string) (string, error) {
	path, err := absolute(path)
	if err != nil {
		return "", err
	}
	if trimmed := strings.TrimRight(path, string(filepath.Separator)); trimmed != filepath.VolumeName(path) {
		path = trimmed
	}
	found, err := filepath.EvalSymlinks(path)
	if err == nil {
		return filepath.Clean(found), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", &fs.PathError{Op: "find", Path: path, Err: err}
	}
	if info, err := os.Lstat(path); err == nil {
		found, err := filepath.EvalSymlinks(path)
		switch {
		case err == nil: // it was made meanwhile
			return filepath.Clean(found), nil
		case isLink(info):
			return "", fmt.Errorf("%s is %w", path, ErrDangling)
		}
	}
	dir, name := filepath.Split(path)
	if dir == "" || dir == path || name == ".." { // the root, or out of what is not there
		return "", err
	}
	if dir, err = Resolve(dir); err != nil {
		return "", err
	}
	return filepath.Join(dir, name), nil
}

// IsLink reports whether a path is a link itself. One that was just not there may
// be a file by now, made by another process: only a link leads nowhere.
func IsLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && isLink(info)
}

func isLink(info fs.FileInfo) bool { return info.Mode()&fs.ModeSymlink != 0 }

// absolute returns a path from the root that is not cleaned: what ".." means
// behind a link depends on where that leads.
func absolute(path string) (string, error) {
	switch {
	case runtime.GOOS == "windows":
		return filepath.Abs(path)
	case filepath.IsAbs(path):
		return path, nil
	}
	here, err := os.Getwd()
	return here + string(filepath.Separator) + path, err
}
