package badgerkv

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/pawlkv/pawl/kv"
)

// Errors of [Open]. It also returns kv.ErrInUse and kv.ErrCorrupt.
var (
	// ErrForeign: the directory is not empty and not a store. It was not
	// touched. Give the path of a store, or of a directory that does not exist.
	ErrForeign = kv.ErrForeign
	// ErrNewer: a newer version of Pawl has written the store. Update.
	ErrNewer = kv.ErrNewer
)

// numbers are those of the system that Badger may meet when it is opened. It puts
// them into its errors as text only.
var numbers = []syscall.Errno{
	syscall.ENOSPC, syscall.EDQUOT, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EFBIG, syscall.EIO,
	syscall.ENOLCK, syscall.EROFS, syscall.EACCES, syscall.EPERM,
	syscall.EAGAIN, syscall.EBUSY, syscall.EINTR, // a lock of Badger's own that another has for the moment
}

// ofBadger makes an error of Badger one of kv: as the error of the system that it
// tells of, or else of the kind, if there is one.
func ofBadger(err, kind error) error {
	for _, number := range numbers {
		if errors.Is(err, number) || strings.Contains(err.Error(), number.Error()) {
			return kv.OfSystem(fmt.Errorf("%w: %w", number, err))
		}
	}
	if kind != nil {
		return fmt.Errorf("%w: %w", kind, err)
	}
	return kv.OfSystem(err)
}
