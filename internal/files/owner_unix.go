//go:build unix

package files

import (
	"io/fs"
	"os"
	"syscall"
)

// Another returns whose a file is if that is another user than this process's,
// and what it makes in dir would stay its own, out of that user's reach. Some file
// systems give all that they have to one user.
func Another(path, dir string) (uid int, another bool) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, false
	}
	uid = ownerOf(info)
	if uid == os.Geteuid() {
		return uid, false
	}
	probe, err := os.CreateTemp(dir, ".pawl-owner-*")
	if err != nil {
		return uid, true
	}
	defer os.Remove(probe.Name())
	defer probe.Close()
	info, err = probe.Stat()
	return uid, err != nil || ownerOf(info) != uid
}

func ownerOf(info fs.FileInfo) int {
	if found, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(found.Uid)
	}
	return os.Geteuid()
}
