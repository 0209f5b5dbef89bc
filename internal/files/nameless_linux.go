package files

import (
	"os"

	"golang.org/x/sys/unix"
)

// nameless makes a file without a name in a directory, which goes when it is closed.
// Not every file system has such files.
func nameless(dir string) (*os.File, error) {
	return os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE, ownMode)
}
