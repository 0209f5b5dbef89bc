package sqlitekv

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
)

// errDiskFull is Windows' ERROR_DISK_FULL.
const errDiskFull = syscall.Errno(112)

// isFull reports whether err says that nothing more can be written.
func isFull(err error) bool {
	return errors.Is(err, sqlite3.FULL) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) ||
		runtime.GOOS == "windows" && errors.Is(err, errDiskFull)
}

// probeSize is what a commit may need beside its values.
const probeSize = 128 << 10

// whyNotWritten finds out whether a write to the log failed because the disk is
// full: the driver does not tell. size is that of what was to be written.
func whyNotWritten(err error, path string, size int) error {
	if !errors.Is(err, sqlite3.IOERR_WRITE) {
		return err
	}
	probe := path + newSuffix
	defer os.Remove(probe)
	if full := os.WriteFile(probe, make([]byte, 2*size+probeSize), fileMode); !isFull(full) {
		return err
	}
	return fmt.Errorf("%w: no room for %d bytes beside %s: free some", kv.ErrDiskFull, size, path)
}
