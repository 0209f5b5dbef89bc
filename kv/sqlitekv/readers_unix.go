//go:build linux || darwin

package sqlitekv

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"syscall"

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

// setLock locks a byte, as others may too, or unlocks it.
func setLock(file *os.File, at int64, locked bool) {
	lock := unix.Flock_t{Type: unix.F_UNLCK, Whence: io.SeekStart, Start: at, Len: 1}
	if locked {
		lock.Type = unix.F_RDLCK
	}
	_ = unix.FcntlFlock(file.Fd(), setFileLock, &lock)
}

// otherLocks adds the bytes that others have locked, from one to before another.
func otherLocks(file *os.File, from, to int64, found []int64) []int64 {
	if from >= to {
		return found
	}
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: from, Len: to - from}
	if unix.FcntlFlock(file.Fd(), getFileLock, &lock) != nil || lock.Type == unix.F_UNLCK {
		return found
	}
	at := lock.Start
	if at < from || at >= to {
		return found // of somebody who locks otherwise
	}
	found = append(found, at)
	return otherLocks(file, at+1, to, otherLocks(file, from, at, found))
}

// place tells a directory from all others that there are at the time.
func place(dir os.FileInfo) string {
	found, ok := dir.Sys().(*syscall.Stat_t)
	if !ok {
		return ""
	}
	return fmt.Sprint(found.Dev, found.Ino)
}
