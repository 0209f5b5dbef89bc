//go:build !linux && !windows

package badgerkv

import (
	"os"

	"github.com/dgraph-io/badger/v4"
)

// flushLog brings what was written to the log to disk: Badger flushes the
// mapping of the active memtable, which is the one we have written to last, and
// the file's sync goes through the drive's cache.
func flushLog(db *badger.DB, log *os.File) error {
	if err := db.Sync(); err != nil {
		return err
	}
	return log.Sync()
}
