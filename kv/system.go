package kv

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"syscall"
)

// kinds are those that an error of opening a store may be.
var kinds = []error{
	ErrUnknown, ErrConflict, ErrUnavailable, ErrUnusable, ErrClosed, ErrTooLarge, ErrInvalid, ErrDiskFull, ErrCorrupt,
	ErrInUse, ErrForeign, ErrNewer, context.Canceled, context.DeadlineExceeded,
}

// Numbers of Windows for what has others elsewhere.
const (
	winSharing  = syscall.Errno(32)
	winLocked   = syscall.Errno(33)
	winFull     = syscall.Errno(39)
	winDiskFull = syscall.Errno(112)
)

// full are the errors of a system that has no room, passing those that are gone
// later without anybody's doing.
var full, passing = ofSystem()

func ofSystem() (full, passing []error) {
	if runtime.GOOS == "windows" {
		return []error{winFull, winDiskFull}, []error{winSharing, winLocked}
	}
	return []error{syscall.ENOSPC, syscall.EDQUOT}, []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EAGAIN, syscall.EINTR, syscall.EBUSY, syscall.ETIMEDOUT,
	}
}

// OfSystem makes an error of the system one of this package's kinds, for engines
// that open a store: ErrDiskFull where there is no room (ENOSPC, EDQUOT);
// ErrUnavailable for what passes by waiting (EMFILE, ENOMEM); ErrUnusable for all
// else (EACCES, EROFS, EIO, ENOENT), which somebody must mend. What is of a kind
// already stays as it is, and so does an errors.ErrUnsupported that is not the
// system's.
func OfSystem(err error) error {
	is := func(kind error) bool { return errors.Is(err, kind) }
	var number syscall.Errno
	switch {
	case err == nil, slices.ContainsFunc(kinds, is), !errors.As(err, &number) && is(errors.ErrUnsupported):
		return err
	case slices.ContainsFunc(full, is):
		return fmt.Errorf("%w: %w", ErrDiskFull, err)
	case slices.ContainsFunc(passing, is):
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	case errors.Is(err, syscall.EFBIG):
		return fmt.Errorf("%w: %w (raise the limit of the size of files, ulimit -f, or use a file system that takes larger ones)", ErrUnusable, err)
	}
	return fmt.Errorf("%w: %w", ErrUnusable, err)
}
