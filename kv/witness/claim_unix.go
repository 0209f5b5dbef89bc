//go:build linux || darwin || freebsd || netbsd

package witness

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// claim makes this process the one that may replace an open file, until it
// closes it. It never waits: false says that another process is at it. Where
// the file system has no such locks everybody has the claim.
func claim(file *os.File) (bool, error) {
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case errors.Is(err, unix.ENOTSUP), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOLCK), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL):
			return true, nil
		case err != nil:
			return false, &os.PathError{Op: "flock", Path: file.Name(), Err: err}
		}
		return true, nil
	}
}
