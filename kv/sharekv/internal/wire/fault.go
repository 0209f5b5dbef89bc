package wire

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// fault says on the wire which kind of error it is.
type fault uint8

const (
	faultOther fault = iota
	faultConflict
	faultUnknown
	faultExpired
	faultUnavailable
	faultTooLarge
	faultInvalid
	faultDiskFull
	faultCorrupt
	faultCanceled // the request was taken back and had no effect
	faultGone     // the server is closing; the request had no effect
	faultOld      // the versions of the protocol do not meet
	faultUndecided
	faultRefused // from version 2 on
)

// kinds in the order in which they are asked for: the first that an error is.
var kinds = []struct {
	fault fault
	is    error
}{
	{faultExpired, kv.ErrExpired},
	{faultUndecided, kv.ErrUndecided},
	{faultUnknown, kv.ErrUnknown},
	{faultRefused, kv.ErrRefused},
	{faultConflict, kv.ErrConflict},
	{faultGone, kv.ErrClosed},
	{faultTooLarge, kv.ErrTooLarge},
	{faultInvalid, kv.ErrInvalid},
	{faultDiskFull, kv.ErrDiskFull},
	{faultCorrupt, kv.ErrCorrupt},
	{faultCanceled, context.Canceled},
	{faultUnavailable, kv.ErrUnavailable},
	{faultUnavailable, kv.ErrUnusable}, // what the owner meets may be mended meanwhile
	{faultOld, ErrVersion},
}

// ErrGone: the connection has ended. It comes with kv.ErrUnknown when a commit
// was sent and not answered, and with kv.ErrUnavailable when the call has had
// no effect.
var ErrGone = errors.New("the connection to the store's owner has ended")

// ErrSilent is an ErrGone: nothing was heard for as long as the patience.
var ErrSilent = errors.New("the store's owner does not answer")

// Silence is an ErrSilent that names the owner.
type Silence struct {
	PID int // 0: not known
	For time.Duration
}

// Error implements error.
func (s *Silence) Error() string {
	who := "another process"
	if s.PID != 0 {
		who = fmt.Sprintf("process %d", s.PID)
	}
	return fmt.Sprintf("%s has the store and has not answered for %v: is it stopped?", who, s.For)
}

// Is makes errors.Is(err, ErrSilent) true.
func (s *Silence) Is(target error) bool { return target == ErrSilent }

// ErrVersion: the two sides have no version of the protocol in common. It is a
// kv.ErrNewer, for whichever of them is older.
var ErrVersion error = versionError{}

type versionError struct{}

func (versionError) Error() string {
	return "the processes run versions that cannot share a store: update the older one"
}

func (versionError) Is(target error) bool { return target == kv.ErrNewer }

// remote is an error of the other side: its text, and what it is here.
type remote struct {
	text string
	is   error
}

func (r *remote) Error() string { return r.text }
func (r *remote) Unwrap() error { return r.is }

// error writes: fault, text, keys, prefixes.
func (o *out) error(err error, version uint64) {
	var conflict kv.ConflictError
	if c := (*kv.ConflictError)(nil); errors.As(err, &c) {
		conflict = *c
	}
	o.uint(uint64(faultOf(err, version)))
	o.string(err.Error())
	o.strings(conflict.Keys)
	o.strings(conflict.Prefixes)
}

// faultOf returns the kind of an error. What a version does not know is what it
// is too: a refused ID is a conflict.
func faultOf(err error, version uint64) fault {
	for _, k := range kinds {
		if k.fault == faultRefused && version < versionAgain {
			continue
		}
		if errors.Is(err, k.is) {
			return k.fault
		}
	}
	return faultOther
}

// errUntyped is an error of a kind that has no name here.
var errUntyped = errors.New("the store's owner failed")

// error returns what error has written.
func (i *in) error() error {
	kind, text := fault(i.uint()), i.string()
	conflict := &kv.ConflictError{Keys: i.strings(), Prefixes: i.strings()}
	if i.err != nil {
		return i.err
	}
	if kind == faultConflict && len(conflict.Keys)+len(conflict.Prefixes) > 0 {
		return conflict
	}
	if kind == faultGone {
		return ErrGone
	}
	for _, k := range kinds {
		if k.fault == kind {
			return &remote{text, k.is}
		}
	}
	return &remote{text, errUntyped}
}
