package badgerkv

import (
	"os"

	"github.com/dgraph-io/badger/v4"
	"golang.org/x/sys/windows"
)

// flushLog brings what was written to the log to disk. Badger does not flush
// its mapping on Windows; pages are shared between all mappings of a file, so
// one of our own does.
func flushLog(_ *badger.DB, log *os.File) error {
	mapping, err := windows.CreateFileMapping(windows.Handle(log.Fd()), nil, windows.PAGE_READWRITE, 0, 0, nil)
	if err != nil {
		return err
	}
	defer windows.CloseHandle(mapping)
	view, err := windows.MapViewOfFile(mapping, windows.FILE_MAP_WRITE, 0, 0, 0)
	if err != nil {
		return err
	}
	defer windows.UnmapViewOfFile(view)
	if err := windows.FlushViewOfFile(view, 0); err != nil {
		return err
	}
	return log.Sync()
}
