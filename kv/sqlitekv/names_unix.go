//go:build unix

package sqlitekv

import (
	"io/fs"
	"syscall"
)

// namesOf returns how many names a file has.
func namesOf(info fs.FileInfo) uint64 {
	if found, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(found.Nlink)
	}
	return 1
}
