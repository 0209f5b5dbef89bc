//go:build !windows

package badgerkv

import (
	"errors"
	"os"
)

// syncDir makes sure that files made, renamed or removed stay so.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
