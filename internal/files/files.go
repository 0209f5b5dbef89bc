// Package files is how files get their place: whole, under a name that is free,
// and so that they are found after a power failure.
package files

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
)

// RandomName returns a name that nobody else takes: 16 hexadecimal digits.
func RandomName() string {
	var b [8]byte
	rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

// MoveToFree renames a file, and fails with fs.ErrExist if there is one with
// the new name already, which a plain renaming would replace.
func MoveToFree(from, to string) error {
	err := os.Link(from, to)
	switch {
	case err == nil:
		return os.Remove(from)
	case errors.Is(err, fs.ErrExist), errors.Is(err, fs.ErrNotExist):
		return err
	}
	// A file system without links: callers hold a lock against each other.
	switch _, err := os.Lstat(to); {
	case err == nil:
		return fmt.Errorf("rename %s: %s: %w", from, to, fs.ErrExist)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return os.Rename(from, to)
}

// RemoveIfThere removes a file, if there is one.
func RemoveIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// SyncDir makes a rename or removal durable. Windows has no such call.
func SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
