//go:build unix

package files

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Another returns whose a file is if that is another user than this process's,
// and what it makes in dir would stay its own, out of that user's reach. Some file
// systems give all that they have to one user.
func Another(path, dir string) (uid int, another bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	uid = Owner(info)
	if uid == os.Geteuid() {
		return uid, false
	}
	maker, err := makerIn(dir)
	return uid, err != nil || maker != uid
}

// makerIn returns whose a file is that this process makes in a directory. It leaves
// the directory as it was: who looks at somebody else's store is not to be seen by
// the time that it was changed last.
func makerIn(dir string) (uid int, err error) {
	if probe, err := nameless(dir); err == nil {
		defer probe.Close()
		return owner(probe)
	}
	before, err := os.Stat(dir)
	if err != nil {
		return 0, err
	}
	probe, err := os.CreateTemp(dir, ".pawl-owner-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		err = errors.Join(err, probe.Close(), os.Remove(probe.Name()), os.Chtimes(dir, time.Time{}, before.ModTime()))
	}()
	return owner(probe)
}

func owner(file *os.File) (uid int, err error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	return Owner(info), nil
}

// IsOwn reports whether a file is of this process's user.
func IsOwn(info fs.FileInfo) bool { return Owner(info) == os.Geteuid() }

// Owner returns whose a file is.
func Owner(info fs.FileInfo) int {
	if found, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(found.Uid)
	}
	return os.Geteuid()
}
