package otk

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

// Errors of reading records.
var (
	// ErrFormat: the record is damaged.
	ErrFormat = record.ErrFormat
	// ErrVersion: the record was written by a newer program.
	ErrVersion = record.ErrVersion
)

// Errors of operations. The pool or key is unchanged.
var (
	// ErrMalformed: text that is not a key id.
	ErrMalformed = errors.New("otk: malformed key id")
	// ErrStage: the operation would move a key back, or past a stage.
	ErrStage = errors.New("otk: a key's stage only moves forward")
	// ErrUnknownID: the id was never given to a key.
	ErrUnknownID = errors.New("otk: no key was ever given this id")
	// ErrFull: the pool would hold more than MaxKeys keys. Evict first.
	ErrFull = errors.New("otk: too many one-time keys")
	// ErrExhausted: all 2^32 ids were given out.
	ErrExhausted = errors.New("otk: key ids are exhausted")
	// ErrUsed: the private part is gone. The error is a [UsedError].
	ErrUsed = errors.New("otk: one-time key was already used")
)

// UsedError is the [ErrUsed] of a key that opened a session before.
type UsedError struct {
	Key     ratchet.PublicKey
	Session ratchet.SessionID // the session that the key opened
}

// Error implements error.
func (e *UsedError) Error() string {
	return fmt.Sprintf("%v: %v opened session %v", ErrUsed, e.Key, e.Session)
}

// Is reports whether target is [ErrUsed].
func (e *UsedError) Is(target error) bool { return target == ErrUsed }
