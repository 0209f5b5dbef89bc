package group

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/internal/message"
	"github.com/pawlkv/pawl/internal/record"
)

// Errors of reading bytes. Nothing was computed.
var (
	// ErrMalformed: the bytes are not a message or a key. The sender or the
	// transport is at fault; the same bytes will never be accepted.
	ErrMalformed = errors.New("group: malformed")
	// ErrVersion: a message of another version than 3, or a key of another
	// version than its format has. The error is a [VersionError].
	ErrVersion = errors.New("group: version is not supported")
)

// Errors of verifying, decrypting and encrypting. The key or sender is as it was.
var (
	// ErrSignature: the message or the shared key is not signed by the owner of
	// the session.
	ErrSignature = errors.New("group: not signed by the session's key")
	// ErrMAC: the session's owner signed the message, and not this ratchet made
	// it: the key is not the one that was used. Also the answer to a bad padding.
	ErrMAC = errors.New("group: message does not authenticate")
	// ErrTooEarly: the index lies before the first that the key reaches. The error
	// is an [IndexError].
	ErrTooEarly = errors.New("group: index is before the first known")
	// ErrExhausted: the session has used its last index. Make a new one.
	ErrExhausted = errors.New("group: session has no message index left")
	// ErrNoKey: the zero Key or Sender, or a session of which no key is left.
	ErrNoKey = errors.New("group: no key")
)

// Errors of records.
var (
	// ErrFormat: the record is damaged.
	ErrFormat = record.ErrFormat
	// ErrNewer: the record was written by a newer program.
	ErrNewer = record.ErrVersion
)

// VersionError is the [ErrVersion] of a message or a key.
type VersionError struct {
	What    string // "message", "shared key" or "exported key"
	Version byte   // its first byte
	Want    byte
}

// Error implements error.
func (e *VersionError) Error() string {
	return fmt.Sprintf("%v: %s of version %d, want %d", ErrVersion, e.What, e.Version, e.Want)
}

// Is reports whether target is [ErrVersion].
func (e *VersionError) Is(target error) bool { return target == ErrVersion }

// IndexError is the [ErrTooEarly] of an index.
type IndexError struct {
	First uint32 // the first index that the key reaches
	Index uint32 // the one that was asked for
}

// Error implements error.
func (e *IndexError) Error() string {
	return fmt.Sprintf("%v: index %d, first known is %d", ErrTooEarly, e.Index, e.First)
}

// Is reports whether target is [ErrTooEarly].
func (e *IndexError) Is(target error) bool { return target == ErrTooEarly }

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// version checks the first byte of a message or key and returns the rest.
func version(b []byte, what string, want byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, malformed("empty %s", what)
	}
	if b[0] != want {
		return nil, &VersionError{What: what, Version: b[0], Want: want}
	}
	return b[1:], nil
}

// Versions of messages and of the two formats of keys.
const (
	messageVersion = message.Version
	sharedVersion  = 2
	exportVersion  = 1
)
