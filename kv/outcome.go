package kv

import (
	"context"
	"errors"
)

// Outcome is what an error of [Store.Commit] says about the batch: was it
// applied? It is for whoever hands a batch on, since what an answer means
// depends on whether the batch was sent before with no known outcome.
//
// At the first try:
//
//	outcome     error                      the batch          what the caller does
//	Applied     nil                        is applied         release what was derived
//	Conflict    ErrConflict                never will be      discard, read again, run again
//	NotApplied  ErrClosed, ErrTooLarge,    never will be      discard, return the error
//	            ErrDiskFull, ErrInvalid,
//	            ErrCorrupt, ErrInUse,
//	            ErrUnusable, ErrForeign,
//	            ErrNewer, a context's
//	Unsent      ErrUnavailable             never will be      discard, return the error, or try later
//	Unknown     ErrUnknown                 may be, or become  commit the identical batch with Again
//	Expired     ErrExpired                 never will be      discard, begin anew with a fresh view
//	Undecided   ErrUndecided, others       may be             withhold what was derived
//
// When an earlier try had no known outcome ([Batch.Again]), the answer to this
// one is the answer to all of them only where it is final; see
// [Outcome.Resolves]:
//
//	outcome     the batch                  what the caller does
//	Applied     is applied, by one of them release what was derived, at that version
//	Conflict    never will be              discard, read again, run again
//	NotApplied  may be, or become          withhold what was derived, return ErrUnknown
//	Unsent      may be, or become          commit it again for a while, then withhold
//	Unknown     may be, or become          commit it again for a while, then withhold
//	Expired     may be, nobody can tell    withhold what was derived, for good
//	Undecided   may be                     withhold it; the opened store can tell
type Outcome int

// The outcomes of a commit. An error that is none of this package's and no
// context's is Undecided: what an engine does not say is not known.
const (
	Applied Outcome = iota
	Conflict
	NotApplied
	Unsent
	Unknown
	Expired
	Undecided
)

// outcomes in the order in which they are asked for: an ErrUnknown wraps its
// cause, which says nothing about the batch.
var outcomes = []struct {
	is   error
	says Outcome
}{
	{ErrExpired, Expired},
	{ErrUndecided, Undecided},
	{ErrUnknown, Unknown},
	{ErrConflict, Conflict},
	{ErrUnusable, NotApplied}, // also where that is why the store is unavailable
	{ErrForeign, NotApplied},
	{ErrNewer, NotApplied},
	{ErrUnavailable, Unsent},
	{ErrClosed, NotApplied},
	{ErrTooLarge, NotApplied},
	{ErrDiskFull, NotApplied},
	{ErrInvalid, NotApplied},
	{ErrCorrupt, NotApplied},
	{ErrInUse, NotApplied},
	{context.Canceled, NotApplied},
	{context.DeadlineExceeded, NotApplied},
}

// OutcomeOf returns the outcome that an error of Commit stands for.
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Applied
	}
	for _, o := range outcomes {
		if errors.Is(err, o.is) {
			return o.says
		}
	}
	return Undecided
}

// Resolves reports whether the answer to a later try, made with Again, is the
// answer to the earlier ones too.
func (o Outcome) Resolves() bool { return o == Applied || o == Conflict }

// MayAsk reports whether the identical batch, committed again, may have an
// answer that resolves an earlier try.
func (o Outcome) MayAsk() bool { return o == Unsent || o == Unknown }

// String names the outcome.
func (o Outcome) String() string {
	return [...]string{"applied", "conflict", "not applied", "unsent", "unknown", "expired", "undecided"}[o]
}
