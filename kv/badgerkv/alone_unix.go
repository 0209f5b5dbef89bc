//go:build !windows

package badgerkv

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/pawlkv/pawl/kv/sharekv"
)

// alone calls fn while nobody has Badger open in the directory, and returns
// sharekv.ErrHeld if somebody has. Badger locks the directory itself; that holds also
// where our lock file was removed under a process that had locked it, whose
// files must not be tidied nor judged.
func alone(path string, fn func() error) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("badgerkv: open the store: %w", err)
	}
	defer dir.Close() // which unlocks
	switch err := unix.Flock(int(dir.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return sharekv.ErrHeld
	case err != nil:
		return fmt.Errorf("badgerkv: lock the store: %w", err)
	}
	return fn()
}
