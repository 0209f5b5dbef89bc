// Package otk is the life of a device's one-time keys and fallback keys.
//
// Two records keep it. The [Pool] (record otk-pool) says which keys there are
// and how far each has come; a [Key] (record otk/<public key>) holds one
// private part, so that using a key conflicts with nothing but using the same
// key.
//
//	generated -> offered -> published
//	                     -> abandoned
//
// A generated key is known to nobody. It is offered when it goes into the body
// of one upload, and never into another: a server that has already handed it
// out would take it again and hand it out twice. An upload that succeeded
// makes it published; one whose outcome is unknown makes it abandoned, and its
// private part stays, because the server may have it. Any of these may be used
// by a peer; then the Pool forgets the key and the Key becomes a tombstone
// that names the session. No stage ever goes back.
//
// To begin: [Pool.Generate] on the zero Pool, then [Pool.Offer], and, when the
// server has answered, [Pool.Publish]. [Key.Use] belongs to the transaction that
// stores the session which the key has opened; [Pool.Forget] may follow when
// the pool is written next.
//
// A fallback key is handed out by the server when it has no one-time key left,
// any number of times. The newest is the current one. One that was replaced
// stays until a newer one was published for [FallbackLife]: what is published
// displaces, what may never have arrived does not.
//
// Pools and Keys are values: no method changes its receiver, and all are safe
// for concurrent use. The zero Pool is empty and ready. Randomness and time
// are arguments; times are kept in milliseconds.
package otk

import (
	"errors"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

const (
	// MaxKeys is how many private one-time keys are kept: enough that no key a
	// slow peer may still use is lost in practice, and a bound on what a
	// server can make us store.
	MaxKeys = 5000

	// KeyRest is how long a key that may be on the server is kept, from when it
	// was last in a body, before older ones: a key claimed today may be used by a
	// device that is offline for weeks.
	KeyRest = 30 * 24 * time.Hour

	// FallbackLife is the age at which a fallback key is replaced. It stays
	// usable for as long again, from when a newer one was published.
	FallbackLife = 7 * 24 * time.Hour

	// FallbackRest is the age at which a fallback key that was used is replaced.
	FallbackRest = 24 * time.Hour
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
