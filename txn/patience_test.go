package txn_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
)

// TestFrozenStore: a store whose other side is frozen after a commit was sent says
// for ever that it does not know, at once or after a while. The call ends all the
// same, with a context that never does, and its result is withheld.
func TestFrozenStore(t *testing.T) {
	const patience = 3 * time.Second
	for name, c := range map[string]struct {
		answer   error         // to every try but the first
		takes    time.Duration // each try
		most     time.Duration // that the call may take
		sentMost int
	}{
		"unknown at once":          {kv.ErrUnknown, 0, patience + time.Second, 1000},
		"unavailable at once":      {kv.ErrUnavailable, 0, patience + time.Second, 1000},
		"unavailable after a time": {kv.ErrUnavailable, patience, 2*patience + time.Second, 2},
		"long after the patience":  {kv.ErrUnavailable, time.Hour, 2*time.Hour + time.Second, 2},
	} {
		eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
			synctest.Test(t, func(t *testing.T) {
				sent := 0
				store := faulty.Wrap(newStore(t), faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
					if call.Op != faulty.Commit {
						return nil
					}
					time.Sleep(c.takes)
					if sent++; sent == 1 {
						return kv.ErrUnknown
					}
					return c.answer
				}})
				began := time.Now()
				o := payWith(context.Background(), open(store, p, txn.WithPatience(patience), txn.WithSleep(pause)))
				took := time.Since(began)
				wantErr(t, name, o.err, kv.ErrUnknown, c.answer)
				if o.value != 0 || o.runs != 1 || sent < 2 || sent > c.sentMost {
					t.Errorf("%s: released %d after %d runs and %d commits", name, o.value, o.runs, sent)
				}
				if took < c.takes || took > c.most {
					t.Errorf("%s: took %v, want at most %v", name, took, c.most)
				}
			})
		})
	}
}

// pause waits as the default does.
func pause(_ context.Context, d time.Duration) error {
	time.Sleep(d)
	return nil
}
