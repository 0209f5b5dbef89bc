package roomkeyfile

import (
	"errors"
	"fmt"
)

// Errors of a file. Nothing of it was used.
var (
	// ErrFormat: not a room key file, or not as it was written.
	ErrFormat = errors.New("roomkeyfile: not a room key file, or damaged")
	// ErrCut: the end of the file is missing.
	ErrCut = errors.New("roomkeyfile: room key file is cut off")
	// ErrVersion: of another version than 1, the only one that there is.
	ErrVersion = errors.New("roomkeyfile: version of the room key file is not supported")
	// ErrRounds: none, or more than [MaxRounds]: nobody waits for so many.
	ErrRounds = errors.New("roomkeyfile: number of rounds is out of bounds")
	// ErrPassphrase: wrong passphrase, or the file was changed. Nobody can tell which.
	ErrPassphrase = errors.New("roomkeyfile: wrong passphrase, or a damaged room key file")
	// ErrChanged: somebody has written to the file while it was read.
	ErrChanged = errors.New("roomkeyfile: room key file has changed while it was read")
)

// Mistakes of the caller.
var (
	// ErrEmpty: a file that is written has a passphrase.
	ErrEmpty = errors.New("roomkeyfile: passphrase is empty")
	// ErrLocked: the keys of a file were asked for before [Reader.Unlock] has succeeded.
	ErrLocked = errors.New("roomkeyfile: room key file is not unlocked")
	// ErrClosed: something is added to a file that is finished.
	ErrClosed = errors.New("roomkeyfile: room key file is finished")
)

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrFormat, fmt.Sprintf(format, args...))
}
