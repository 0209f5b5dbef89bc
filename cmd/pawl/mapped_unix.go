//go:build linux || darwin

package main

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/pawlkv/pawl/internal/files"
)

// mappedByte is locked by whoever has an SQLite store's index mapped.
const mappedByte = 128

// isMapped reports whether a process has an SQLite store open, by the locks on its
// index.
func isMapped(index string) bool {
	file, err := files.OpenRegular(index, os.O_RDONLY)
	if err != nil {
		return false
	}
	defer file.Close()
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: 0, Start: mappedByte, Len: 1}
	err = unix.FcntlFlock(file.Fd(), getLock, &lock)
	return err == nil && lock.Type != unix.F_UNLCK
}
