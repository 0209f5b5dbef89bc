package kv_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestOutcomeOf: an error that says that nothing is known wins over its cause,
// and what says nothing is not taken for a refusal.
func TestOutcomeOf(t *testing.T) {
	for _, c := range []struct {
		err              error
		want             kv.Outcome
		resolves, mayAsk bool
		whatItIsCalled   string
	}{
		{nil, kv.Applied, true, false, "applied"},
		{kv.ErrConflict, kv.Conflict, true, false, "conflict"},
		{&kv.ConflictError{Keys: []string{"k"}}, kv.Conflict, true, false, "conflict"},
		{kv.ErrUnavailable, kv.Unsent, false, true, "unsent"},
		{kv.ErrUnknown, kv.Unknown, false, true, "unknown"},
		{fmt.Errorf("%w: %w", kv.ErrUnknown, kv.ErrClosed), kv.Unknown, false, true, "unknown"},
		{fmt.Errorf("%w: %w", kv.ErrUnknown, context.Canceled), kv.Unknown, false, true, "unknown"},
		{fmt.Errorf("%w: %w", kv.ErrUnavailable, kv.ErrUnknown), kv.Unknown, false, true, "unknown"},
		{kv.ErrExpired, kv.Expired, false, false, "expired"},
		{kv.ErrUndecided, kv.Undecided, false, false, "undecided"},
		{errors.New("something else"), kv.Undecided, false, false, "undecided"},
		{kv.ErrClosed, kv.NotApplied, false, false, "not applied"},
		{kv.ErrTooLarge, kv.NotApplied, false, false, "not applied"},
		{kv.ErrDiskFull, kv.NotApplied, false, false, "not applied"},
		{kv.ErrInvalid, kv.NotApplied, false, false, "not applied"},
		{kv.ErrCorrupt, kv.NotApplied, false, false, "not applied"},
		{kv.ErrInUse, kv.NotApplied, false, false, "not applied"},
		{kv.ErrUnusable, kv.NotApplied, false, false, "not applied"},
		{kv.ErrForeign, kv.NotApplied, false, false, "not applied"},
		{kv.ErrNewer, kv.NotApplied, false, false, "not applied"},
		{fmt.Errorf("%w: %w", kv.ErrUnavailable, kv.ErrUnusable), kv.NotApplied, false, false, "not applied"},
		{fmt.Errorf("%w: %w", kv.ErrUnknown, kv.ErrUnusable), kv.Unknown, false, true, "unknown"},
		{context.Canceled, kv.NotApplied, false, false, "not applied"},
		{fmt.Errorf("wait: %w", context.DeadlineExceeded), kv.NotApplied, false, false, "not applied"},
	} {
		got := kv.OutcomeOf(c.err)
		if got != c.want || got.String() != c.whatItIsCalled || got.Resolves() != c.resolves || got.MayAsk() != c.mayAsk {
			t.Errorf("%v: %v, resolves %v, may ask %v", c.err, got, got.Resolves(), got.MayAsk())
		}
	}
}
