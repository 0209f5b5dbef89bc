//go:build unix

package files

import (
	"io/fs"
	"syscall"
)

// Names returns how many names (hard links) a file has that was found at a path.
func Names(_ string, info fs.FileInfo) uint64 {
	if found, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(found.Nlink)
	}
	return 1
}
