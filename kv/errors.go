package kv

import (
	"errors"
	"fmt"
	"strings"
)

// Outcomes of [Store.Commit] and of reads. Test with errors.Is.
var (
	// ErrConflict: what was read no longer holds. Certainly not applied, and
	// never will be; a key derived in the attempt was never used. Commits
	// return a *ConflictError, which names the keys, or ErrRefused.
	ErrConflict = errors.New("kv: conflict: what was read has changed")

	// ErrRefused is an ErrConflict that names nothing: the batch, or another
	// with its ID, came with Again and was refused before. It stays refused
	// though what it read may hold again.
	ErrRefused = fmt.Errorf("%w: the commit ID was refused before", ErrConflict)

	// ErrUnknown: the commit may have been applied or be applied later. What
	// was derived must be neither released nor derived again in another way:
	// commit the identical batch again.
	ErrUnknown = errors.New("kv: outcome unknown")

	// ErrExpired is an ErrUnknown that stays unknown: the ID began before the
	// oldest that the engine keeps. This call applied nothing. If it was the
	// first with that ID, nothing ever was: begin again. Otherwise what was
	// derived must never be used.
	ErrExpired = fmt.Errorf("%w: the commit ID is too old to be resolved", ErrUnknown)

	// ErrUndecided is an ErrUnknown that lasts as long as the store is open: the
	// engine failed while it applied the commit (a sync failed, say) and cannot
	// look. Asking again does not help; once the store was opened again the
	// identical batch resolves it.
	ErrUndecided = fmt.Errorf("%w: the engine failed while it applied the commit: open the store again", ErrUnknown)
)

// Errors that leave the store as it was: nothing was applied.
var (
	// ErrUnavailable: the engine could not be reached and nothing was sent. It
	// passes by waiting: try again later.
	ErrUnavailable = errors.New("kv: store unavailable")
	// ErrClosed: the store, or the snapshot, was closed.
	ErrClosed = errors.New("kv: closed")
	// ErrSuperseded is an ErrClosed that somebody else caused: a newer program changes
	// how the store is laid out, and this one let it. Load the newer one.
	ErrSuperseded = fmt.Errorf("%w: a newer program has taken the store over: load it", ErrClosed)
	// ErrDeleted is an ErrClosed because somebody deleted the store while it was open.
	ErrDeleted = fmt.Errorf("%w: the store was deleted", ErrClosed)
	// ErrTooLarge: the batch exceeds the engine's Limits. Split it.
	ErrTooLarge = errors.New("kv: batch too large")
	// ErrInvalid: the call makes no sense for any engine (an empty key, a key
	// written twice). A mistake in the caller.
	ErrInvalid = errors.New("kv: invalid call")
	// ErrDiskFull: there is no room for the commit. Free some and try again;
	// reading goes on.
	ErrDiskFull = errors.New("kv: disk full")
	// ErrCorrupt: stored bytes are damaged. Reading elsewhere may go on.
	ErrCorrupt = errors.New("kv: store is damaged")
	// ErrInUse: another process has the store open and this engine does not
	// share.
	ErrInUse = errors.New("kv: store is in use")
)

// Errors of opening a store with an engine, or of going on with it when it is
// opened again or shared with another process. Nothing was changed. Those of the system
// are made one of these kinds by [OfSystem].
var (
	// ErrForeign: the path leads to something that is not a store. It was not
	// touched. Give the path of a store, or one that leads nowhere.
	ErrForeign = errors.New("kv: the path holds something else than a store")
	// ErrNewer: a newer version of Pawl has written the store. Update.
	ErrNewer = errors.New("kv: the store was written by a newer version")
	// ErrUnusable: the system does not let this process use the store where it is:
	// rights are missing, or a directory, the disk is read-only or fails, the store
	// is another user's or was moved away. It does not pass by waiting: a person
	// must mend what the text says.
	ErrUnusable = errors.New("kv: the store cannot be used")
)

// ConflictError is an [ErrConflict] that names the keys and the prefixes whose
// reads failed, at least one of them. The names are as stored: the txn package
// blinds those that identify people before they get here.
type ConflictError struct {
	Keys     []string // read at a version that is no longer theirs
	Prefixes []string // scanned, and something came, went or changed
}

// Error implements error.
func (e *ConflictError) Error() string {
	names := append(append([]string{}, e.Keys...), e.Prefixes...)
	return fmt.Sprintf("%v: %q", ErrConflict, strings.Join(names, " "))
}

// Is makes errors.Is(err, ErrConflict) true.
func (e *ConflictError) Is(target error) bool { return target == ErrConflict }
