package workload

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// copyStore copies the files of a store that is closed, and syncs them so that
// nothing of it is written while something is measured.
func copyStore(to, from string) error {
	if err := os.Mkdir(to, 0o700); err != nil || from == "" {
		return err
	}
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil || name == "." {
			return err
		}
		switch {
		case entry.IsDir():
			return os.Mkdir(filepath.Join(to, name), 0o700)
		case entry.Type().IsRegular():
			return copyFile(filepath.Join(to, name), path)
		}
		return nil // a socket that nobody listens at
	})
}

func copyFile(to, from string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = out.ReadFrom(in)
	return errors.Join(err, out.Sync(), out.Close())
}
