package txn

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

// Mistakes of the caller. Nothing was read or written.
var (
	// ErrNested: Do or View was called inside a transaction of the same DB.
	// Pass the Tx down instead.
	ErrNested = errors.New("txn: a transaction inside a transaction: pass the Tx down instead")
	// ErrReadOnly: a write inside View.
	ErrReadOnly = errors.New("txn: a write in a View: use Do")
	// ErrDone: the Tx was used after its function had returned.
	ErrDone = errors.New("txn: the transaction is over: use the Tx only while its function runs")
	// ErrNoSealer: the DB was made without WithSealer.
	ErrNoSealer = errors.New("txn: no sealer: give New a WithSealer")
)

// ErrFormat: a record was written by a newer program, or by something else.
// Update the program; nothing was changed.
var ErrFormat = errors.New("txn: record of a newer or foreign format")

// ErrApart: a value to join and the stored one do not join. Nothing was written to
// that record; get it, and put what is to be kept.
var ErrApart = errors.New("txn: the value and the stored one do not join")

// ErrSetAside: the record was damaged, and somebody has set it aside
// ([Tx.SetAside]). It is gone for good, and no new one has its name unless it is
// written on purpose.
var ErrSetAside = errors.New("txn: the record was damaged and was set aside")

// RecordError names a record that is there and cannot be read: the engine did
// not find its bytes whole, or the value could not be opened (damaged, moved
// from another key, sealed under another key) or decoded. It is a
// [kv.ErrCorrupt], unless the codec or the sealer says that a newer program
// wrote it (kv.ErrNewer) or it was set aside ([ErrSetAside]): that is no damage.
type RecordError struct {
	Key string // as stored, blinded
	Err error
}

// Error implements error.
func (e *RecordError) Error() string {
	return fmt.Sprintf("txn: record %q cannot be read: %v", e.Key, e.Err)
}

// Is makes errors.Is(err, kv.ErrCorrupt) true for damage.
func (e *RecordError) Is(target error) bool {
	return target == kv.ErrCorrupt && !errors.Is(e.Err, kv.ErrNewer) && !errors.Is(e.Err, ErrSetAside)
}

// Unwrap returns the cause.
func (e *RecordError) Unwrap() error { return e.Err }

// UnknownError is a [kv.ErrUnknown] that Do could not resolve: the writes may
// have been applied or be applied later. The result that belongs to them was
// withheld and never will be released. Calling Do again is safe: fn then meets
// its own writes, or does not.
type UnknownError struct {
	Err error // why: the context's error, kv.ErrExpired, kv.ErrClosed ...
}

// Error implements error.
func (e *UnknownError) Error() string {
	return fmt.Sprintf("txn: the commit may or may not have been applied and its result is withheld: %v", e.Err)
}

// Is makes errors.Is(err, kv.ErrUnknown) true.
func (e *UnknownError) Is(target error) bool { return target == kv.ErrUnknown }

// Unwrap returns the cause.
func (e *UnknownError) Unwrap() error { return e.Err }

// StarvedError is a [kv.ErrConflict]: the transaction lost as often as
// WithMaxAttempts allows. Nothing was applied. It takes a function that runs
// longer than a turn lasts (kv.Limits.TurnLife), or keys that nobody can queue for
// because they are new in a scanned prefix each time.
type StarvedError struct {
	Attempts int
	Last     error // the last conflict
}

// Error implements error.
func (e *StarvedError) Error() string {
	return fmt.Sprintf("txn: gave up after %d attempts, make the transaction shorter: %v", e.Attempts, e.Last)
}

// Is makes errors.Is(err, kv.ErrConflict) true.
func (e *StarvedError) Is(target error) bool { return target == kv.ErrConflict }

// Unwrap returns the last conflict.
func (e *StarvedError) Unwrap() error { return e.Last }
