package idbkv

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl/kv"
)

// TestOutcomes is the table of docs/indexeddb.md: what the end of a commit's transaction
// says about its batches.
func TestOutcomes(t *testing.T) {
	late := fmt.Errorf("%w: too late", kv.ErrUnavailable)
	for what, c := range map[string]struct {
		end  ending
		want error
		says kv.Outcome
	}{
		"complete":                           {ending{completed: true, put: true}, nil, kv.Applied},
		"complete though the abort threw":    {ending{completed: true, put: true, late: true}, nil, kv.Applied},
		"our abort":                          {ending{ours: true}, late, kv.Unsent},
		"our abort, after all was put":       {ending{ours: true, put: true, name: "UnknownError"}, late, kv.Unsent},
		"our abort threw":                    {ending{late: true, put: true}, kv.ErrUnknown, kv.Unknown},
		"no room":                            {ending{put: true, name: "QuotaExceededError"}, kv.ErrDiskFull, kv.NotApplied},
		"no room, in a request":              {ending{failed: true, name: "QuotaExceededError"}, kv.ErrDiskFull, kv.NotApplied},
		"no room, though the abort threw":    {ending{put: true, late: true, name: "QuotaExceededError"}, kv.ErrDiskFull, kv.NotApplied},
		"UnknownError at commit":             {ending{put: true, name: "UnknownError"}, kv.ErrUndecided, kv.Undecided},
		"UnknownError of a request":          {ending{failed: true, name: "UnknownError"}, kv.ErrUnusable, kv.NotApplied},
		"a request could not read":           {ending{failed: true, name: "NotReadableError"}, kv.ErrCorrupt, kv.NotApplied},
		"an abort that nobody asked for":     {ending{put: true}, kv.ErrUndecided, kv.Undecided},
		"the same before anything was put":   {ending{}, kv.ErrUnavailable, kv.Unsent},
		"close, with a commit under way":     {ending{lost: true, put: true, name: "AbortError"}, kv.ErrUndecided, kv.Undecided},
		"close, before anything was put":     {ending{lost: true}, kv.ErrClosed, kv.NotApplied},
		"the browser gave up, in a request":  {ending{failed: true, name: "InvalidStateError"}, kv.ErrUnavailable, kv.Unsent},
		"the same, after all was put":        {ending{failed: true, put: true, name: "InvalidStateError"}, kv.ErrUndecided, kv.Undecided},
		"the same, and the close was seen":   {ending{failed: true, lost: true, name: "InvalidStateError"}, kv.ErrClosed, kv.NotApplied},
		"complete before the close was seen": {ending{completed: true, lost: true, put: true}, nil, kv.Applied},
	} {
		got := c.end.outcome(late)
		if !errors.Is(got, c.want) || kv.OutcomeOf(got) != c.says {
			t.Errorf("%s: %v (%v), want %v (%v)", what, got, kv.OutcomeOf(got), c.want, c.says)
		}
	}
}

// TestReadsThatFail: nothing that a read answers says anything of a commit.
func TestReadsThatFail(t *testing.T) {
	late := fmt.Errorf("%w: too late", kv.ErrUnavailable)
	for what, c := range map[string]struct {
		end  ending
		want error
	}{
		"our abort":                {ending{ours: true}, late},
		"close":                    {ending{lost: true, name: "AbortError"}, kv.ErrClosed},
		"a request could not read": {ending{failed: true, name: "NotReadableError"}, kv.ErrCorrupt},
		"UnknownError":             {ending{failed: true, name: "UnknownError"}, kv.ErrUnusable},
		"the browser gave up":      {ending{failed: true, name: "InvalidStateError"}, kv.ErrUnavailable},
		"an abort":                 {ending{name: "AbortError"}, kv.ErrUnavailable},
	} {
		if got := c.end.ofRead(late); !errors.Is(got, c.want) {
			t.Errorf("%s: %v, want %v", what, got, c.want)
		}
	}
}
