//go:build unix

package main

import (
	"io/fs"
	"syscall"
)

// isNameless reports a file that was removed while it is open, so that it ends
// with those who have it open.
func isNameless(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 0
}
