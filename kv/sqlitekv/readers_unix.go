//go:build linux || darwin

package sqlitekv

import (
	"io"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

const seesLocks = true

// Locks that belong to the open file and not to the process: others of this
// process see them, and its other files do not drop them. The numbers of macOS
// are those of bsd/sys/fcntl.h.
var setFileLock, getFileLock = fileLocks()

func fileLocks() (set, get int) {
	if runtime.GOOS == "darwin" {
		return 90, 92
	}
	return 37, 36 // F_OFD_SETLK, F_OFD_GETLK
}

func setReading(file *os.File, at reading, locked bool) {
	lock := unix.Flock_t{Type: unix.F_UNLCK, Whence: io.SeekStart, Start: int64(at), Len: 1}
	if locked {
		lock.Type = unix.F_RDLCK
	}
	_ = unix.FcntlFlock(file.Fd(), setFileLock, &lock)
}

// otherReadings adds what others have locked from one place to before another.
func otherReadings(file *os.File, from, to reading, found []reading) []reading {
	if from >= to {
		return found
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: int64(from), Len: int64(to - from)}
	if unix.FcntlFlock(file.Fd(), getFileLock, &lock) != nil || lock.Type == unix.F_UNLCK {
		return found
	}
	at := reading(lock.Start)
	if at < from || at >= to {
		return found // of somebody who locks otherwise
	}
	found = append(found, at)
	return otherReadings(file, at+1, to, otherReadings(file, from, at, found))
}
