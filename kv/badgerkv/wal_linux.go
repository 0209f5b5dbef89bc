package badgerkv

import (
	"os"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/sys/unix"
)

// flushLog brings what was written to the log to disk. The pages of Badger's
// mapping are the file's own.
func flushLog(_ *badger.DB, log *os.File) error {
	for {
		if err := unix.Fdatasync(int(log.Fd())); err != unix.EINTR {
			return err
		}
	}
}
