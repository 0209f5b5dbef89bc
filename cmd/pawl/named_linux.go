package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/pawlkv/pawl/internal/files"
)

// syncName makes sure that the name of an open file outlives a power failure: a
// sync of a new file need not write the directory that it is in.
func syncName(file *os.File) error {
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil {
		return nil // no /proc: the sync of the file is all there is
	}
	return files.SyncDir(filepath.Dir(path))
}
