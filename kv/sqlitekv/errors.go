package sqlitekv

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
)

// Errors of [Open]. It also returns kv.ErrCorrupt, kv.ErrDiskFull,
// kv.ErrUnusable and kv.ErrUnavailable.
var (
	// ErrForeign: the file is something else than a store. It was not touched.
	// Give the path of a store, or of a file that does not exist.
	ErrForeign = kv.ErrForeign
	// ErrNewer: a newer version of Pawl has written the store. Update.
	ErrNewer = kv.ErrNewer
)

// translate turns an error of SQLite or of the system into one of kv. Errors
// of kv stay as they are.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if errors.As(err, new(*sqlite3.Error)) || errors.As(err, new(sqlite3.ErrorCode)) || errors.As(err, new(sqlite3.ExtendedErrorCode)) {
		err = ofSQLite(err)
	}
	return kv.OfSystem(err)
}

// ofSQLite says of an error of SQLite what kind it is where the system's number,
// which the driver keeps, does not: the rest is of files that cannot be used.
func ofSQLite(err error) error {
	kind := kv.ErrUnusable
	var number syscall.Errno
	switch {
	case isFull(err):
		kind = kv.ErrDiskFull
	case errors.Is(err, sqlite3.IOERR_DATA): // "disk I/O error" in SQLite's words
		return fmt.Errorf("%w: a page of the file does not have its checksum: the disk has changed it, or another program", kv.ErrCorrupt)
	case errors.Is(err, sqlite3.CORRUPT), errors.Is(err, sqlite3.NOTADB),
		errors.Is(err, sqlite3.IOERR_CORRUPTFS), errors.Is(err, sqlite3.ERROR):
		kind = kv.ErrCorrupt // SQLITE_ERROR: a table is missing, say
	case errors.As(err, &number):
		return fmt.Errorf("%w%s", err, advice(err))
	case errors.Is(err, sqlite3.BUSY), errors.Is(err, sqlite3.PROTOCOL), errors.Is(err, sqlite3.LOCKED),
		errors.Is(err, sqlite3.INTERRUPT), errors.Is(err, sqlite3.NOMEM):
		kind = kv.ErrUnavailable
	}
	return fmt.Errorf("%w: %w%s", kind, err, advice(err))
}

// advice says what to do about an error that its text does not explain.
func advice(err error) string {
	switch {
	case isLocked(err):
		return " (another process holds its lock: is it stopped?)"
	case errors.Is(err, sqlite3.IOERR_SHORT_READ):
		return " (its log, or its file, ends before what was committed to it: it was cut, removed or replaced while it was open; close it in all processes, and open it again)"
	case errors.Is(err, sqlite3.READONLY), errors.Is(err, fs.ErrPermission):
		return " (the file and its directory must be writable)"
	case errors.Is(err, sqlite3.CANTOPEN) && !errors.As(err, new(syscall.Errno)):
		return " (do the file and its directory exist, and may they be written?)"
	}
	return ""
}

// whyNotOpened finds out which file cannot be opened: SQLite names none.
func whyNotOpened(err error, path string) error {
	if !errors.Is(err, sqlite3.CANTOPEN) || errors.As(err, new(syscall.Errno)) {
		return err
	}
	for _, suffix := range []string{"", logSuffix, indexSuffix} {
		file, why := files.OpenRegular(path+suffix, os.O_RDWR)
		if why == nil {
			file.Close()
		} else if !errors.Is(why, fs.ErrNotExist) {
			return kv.OfSystem(why)
		}
	}
	return err
}

// isLocked reports whether err says that another process kept a lock of SQLite's.
func isLocked(err error) bool {
	return errors.Is(err, sqlite3.BUSY) || errors.Is(err, sqlite3.PROTOCOL)
}

// guard turns a panic of the database's code into an error.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: SQLite cannot go on: %v", kv.ErrCorrupt, r)
	}
}

// errDiskFull is Windows' ERROR_DISK_FULL.
const errDiskFull = syscall.Errno(112)

// isFull reports whether err says that nothing more can be written.
func isFull(err error) bool {
	return errors.Is(err, sqlite3.FULL) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		runtime.GOOS == "windows" && errors.Is(err, errDiskFull)
}

// probeSize is what a commit may need beside its values.
const probeSize = 128 << 10

// whyNotWritten finds out why a file could not be written, or made, by writing
// beside it: the driver keeps the system's number of some calls only. size is that
// of what was to be written.
func whyNotWritten(err error, path string, size int) error {
	if !errors.Is(err, sqlite3.IOERR) && !errors.Is(err, sqlite3.CANTOPEN) {
		return err
	}
	probe := path + newSuffix
	defer os.Remove(probe)
	why := os.WriteFile(probe, make([]byte, 2*size+probeSize), fileMode)
	if isFull(why) {
		return fmt.Errorf("%w: there is no room for %d bytes beside %s", kv.ErrDiskFull, 2*size+probeSize, path)
	}
	var number, known syscall.Errno
	if !errors.As(why, &number) || errors.As(err, &known) {
		return err
	}
	return kv.OfSystem(fmt.Errorf("%w: %v", number, err))
}
