package txn_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
)

// busyWork uses every call on the store: two gets, a scan, conflicts up to a
// turn, an unknown outcome, a join that loses.
func busyWork(ctx context.Context, db *txn.DB, rival *txn.DB, t *testing.T) (int, error) {
	return txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		if _, err := add(tx, "pot", 1); err != nil {
			return 0, err
		}
		for _, err := range tokens.Scan(tx) {
			if err != nil {
				return 0, err
			}
		}
		if tx.Attempt() <= 3 {
			pay(t, rival, "pot", 1)
		}
		if tx.Attempt() == 4 {
			joinInto(t, rival, "rival")
		}
		return 7, groups.Join(tx, group{map[string]bool{"mine": true}})
	})
}

func TestCancelledAtEveryStage(t *testing.T) {
	for _, stage := range []faulty.Stage{faulty.BeforeCall, faulty.AfterCall} {
		eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
			for n := 1; ; n++ {
				if !cancelledAt(t, p, n, stage) {
					if n < 12 {
						t.Errorf("only %d stages", n)
					}
					return
				}
			}
		})
	}
}

func cancelledAt(t *testing.T, p txn.CachePolicy, n int, stage faulty.Stage) (more bool) {
	inner := newStore(t)
	rival := open(inner, txn.NoCache)
	pay(t, rival, "pot", 100)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	store := faulty.Commits(inner, faulty.None, faulty.None, faulty.None, faulty.AppliedUnknown)
	store, reached := faulty.CancelAt(store, n, stage, cancel)
	v, err := busyWork(ctx, open(store, p), rival, t)

	after := balance(t, rival, "pot")
	mine := has(t, rival, "mine")
	switch {
	case err == nil && (v != 7 || !mine || after != 104):
		t.Errorf("call %d: released %d, but the store has %d and joined %v", n, v, after, mine)
	case errors.Is(err, kv.ErrUnknown):
		if !errors.Is(err, context.Canceled) || v != 0 {
			t.Errorf("call %d: %d, %v; want the context's error too", n, v, err)
		}
	case err != nil && (!errors.Is(err, context.Canceled) || v != 0 || mine):
		t.Errorf("call %d: %d, %v, written %v; want context.Canceled and nothing", n, v, err, mine)
	}
	if _, err := payAgain(rival); err != nil { // no turn was left behind
		t.Errorf("call %d: the next transaction: %v", n, err)
	}
	return reached()
}

func payAgain(db *txn.DB) (int, error) {
	return txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return add(tx, "pot", 1) })
}

func TestContextThatHasEndedReadsNothing(t *testing.T) {
	store, calls := trace(newStore(t))
	ended, cancel := context.WithCancel(ctx)
	cancel()
	_, err := txn.Do(ended, open(store, txn.NoCache), func(tx *txn.Tx) (int, error) {
		t.Error("the function ran")
		return 0, nil
	})
	wantErr(t, "Do", err, context.Canceled)
	if len(calls.Ops()) != 0 {
		t.Errorf("calls %v, want none", calls.Ops())
	}
}

// A function that swallows the error of a read does not get to commit.
func TestSwallowedReadErrorsEndTheCall(t *testing.T) {
	for _, fault := range []error{kv.ErrUnavailable, kv.ErrCorrupt, kv.ErrClosed, context.DeadlineExceeded} {
		inner := newStore(t)
		store := faulty.Wrap(inner, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
			if c.Op == faulty.Get || c.Op == faulty.Scan {
				return fault
			}
			return nil
		}})
		for _, scan := range []bool{true, false} {
			v, err := txn.Do(ctx, open(store, txn.NoCache), func(tx *txn.Tx) (int, error) {
				if scan {
					for range purses.Scan(tx) {
						break
					}
				} else {
					purses.Get(tx, "pot")
				}
				return 1, tokens.Put(tx, token{"x"})
			})
			if fault == kv.ErrCorrupt && !scan {
				continue // an answer: see TestDamagedKeyAmongOthers
			}
			wantErr(t, "a swallowed error", err, fault)
			if v != 0 || head(t, inner) != 0 {
				t.Errorf("%v: released %d, head %d", fault, v, head(t, inner))
			}
		}
	}
}

// The view that is gone is a conflict: the function runs again.
func TestLostViewRunsAgain(t *testing.T) {
	for _, op := range []faulty.Op{faulty.Get, faulty.Scan, faulty.Version} {
		lost := 0
		store := faulty.Wrap(newStore(t), faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
			if c.Op == op && lost < 5 {
				lost++
				return kv.ErrConflict
			}
			return nil
		}})
		runs := 0
		got, err := txn.Do(ctx, open(store, txn.NoCache), func(tx *txn.Tx) (int, error) {
			runs++
			got, err := add(tx, "pot", 1)
			for range purses.Scan(tx) {
				continue
			}
			return got, err
		})
		if err != nil || got != 1 || runs != 6 {
			t.Errorf("%s: %d, %v after %d runs, want 1 after 6", op, got, err, runs)
		}
	}
}
