package txn_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// outcome is one transaction over a store with faults.
type outcome struct {
	value int
	err   error
	runs  int
	stats txn.Stats
}

func payWith(ctx context.Context, db *txn.DB) (o outcome) {
	o.value, o.err = txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		o.runs++
		return add(tx, "pot", 1)
	})
	o.stats = db.Stats()
	return o
}

func TestUnknownOutcomesAreResolvedWithTheFirstResult(t *testing.T) {
	const (
		none, applied, lost, late = faulty.None, faulty.AppliedUnknown, faulty.LostUnknown, faulty.LateUnknown
		conflict, unavailable     = faulty.Conflict, faulty.Unavailable
	)
	for name, c := range map[string]struct {
		faults []faulty.Fault
		runs   int
	}{
		"applied":                              {[]faulty.Fault{applied}, 1},
		"not applied":                          {[]faulty.Fault{lost}, 1},
		"applied later":                        {[]faulty.Fault{late}, 1},
		"applied and lost many times":          {[]faulty.Fault{applied, lost, late, applied, lost}, 1},
		"lost many times, then applied":        {[]faulty.Fault{lost, lost, lost, applied}, 1},
		"the store is away after it":           {[]faulty.Fault{applied, unavailable, unavailable}, 1},
		"not applied and in vain":              {[]faulty.Fault{lost, conflict}, 2},
		"not applied and in vain, and again":   {[]faulty.Fault{lost, conflict, lost, conflict, applied}, 3},
		"conflict first, then unknown applied": {[]faulty.Fault{conflict, applied}, 2},
		"nothing":                              {[]faulty.Fault{none}, 1},
	} {
		eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
			store := newStore(t)
			o := payWith(ctx, open(faulty.Commits(store, c.faults...), p))
			if o.err != nil || o.value != 1 || o.runs != c.runs {
				t.Errorf("%s: %d, %v after %d runs; want 1 after %d", name, o.value, o.err, o.runs, c.runs)
			}
			if got := balance(t, open(store, p), "pot"); got != 1 {
				t.Errorf("%s: the store has %d, want 1", name, got)
			}
		})
	}
}

// TestResolvingSaysSo: all tries after the first tell that there was one, of which
// something may be on its way.
func TestResolvingSaysSo(t *testing.T) {
	var again []bool
	store := faulty.Wrap(faulty.Commits(newStore(t), faulty.LostUnknown, faulty.LostUnknown), faulty.Hooks{
		Before: func(_ context.Context, call faulty.Call) error {
			if call.Op == faulty.Commit {
				again = append(again, call.Batch.Again)
			}
			return nil
		},
	})
	db := open(store, txn.NoCache)
	pay(t, db, "pot", 1)
	pay(t, db, "pot", 1)
	if want := []bool{false, true, true, false}; !slices.Equal(again, want) {
		t.Errorf("commits said Again: %v, want %v", again, want)
	}
}

// TestHeldCommitStaysRefused: a commit is held up, its second try is refused, and
// what was in its way goes before it arrives. The call has run again by then, and
// what the held commit holds is never applied beside it.
func TestHeldCommitStaysRefused(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		store := newStore(t)
		other := open(store, txn.NoCache)
		held := faulty.Commits(store, faulty.HeldUnknown)
		n := 0
		db := open(faulty.Wrap(held, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
			if call.Op != faulty.Commit {
				return nil
			}
			switch n++; n {
			case 2: // the second try finds the pot there
				pay(t, other, "pot", 5)
			case 3: // the call's next attempt finds it gone again
				if _, err := txn.Do(ctx, other, func(tx *txn.Tx) (int, error) { return 0, purses.Delete(tx, "pot") }); err != nil {
					t.Fatal(err)
				}
			}
			return nil
		}}), p)
		pay(t, db, "pot", 1)
		pay(t, db, "pot", 1) // the held commit arrives before this one
		if got := balance(t, other, "pot"); got != 2 {
			t.Errorf("the pot has %d, want 2", got)
		}
	})
}

func TestErrorsOfTheStoreReachTheCaller(t *testing.T) {
	for fault, want := range map[faulty.Fault]error{
		faulty.Unavailable: kv.ErrUnavailable,
		faulty.DiskFull:    kv.ErrDiskFull,
		faulty.Corrupt:     kv.ErrCorrupt,
		faulty.Canceled:    context.Canceled,
	} {
		store := newStore(t)
		o := payWith(ctx, open(faulty.Commits(store, fault), txn.NoCache))
		wantErr(t, fmt.Sprint("fault ", fault), o.err, want)
		if o.value != 0 || o.runs != 1 || head(t, store) != 0 || errors.Is(o.err, kv.ErrUnknown) {
			t.Errorf("%v: value %d, %d runs, head %d, %v", want, o.value, o.runs, head(t, store), o.err)
		}
	}
}

func TestClosedAndTooLargeReachTheCaller(t *testing.T) {
	store := memkv.New()
	db := open(store, txn.NoCache)
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		return 1, blobs.Put(tx, blob(make([]byte, kv.EmbeddedBytes)))
	})
	wantErr(t, "a large batch", err, kv.ErrTooLarge)
	store.Close()
	wantErr(t, "a closed store", payWith(ctx, db).err, kv.ErrClosed)
}

// What an engine says in its own words, nobody knows: the batch may have been
// applied.
func TestErrorOfNoOutcomeIsWithheld(t *testing.T) {
	own := errors.New("the engine's own words")
	store := newStore(t)
	broken := faulty.Wrap(store, faulty.Hooks{After: func(_ context.Context, c faulty.Call, err error) error {
		if c.Op == faulty.Commit {
			return own
		}
		return err
	}})
	o := payWith(ctx, open(broken, txn.NoCache))
	wantErr(t, "an outcome that nobody knows", o.err, kv.ErrUnknown, own)
	if o.value != 0 || o.runs != 1 {
		t.Errorf("released %d after %d runs", o.value, o.runs)
	}
}

// An answer to a second commit that is about that call only does not resolve
// the first.
func TestUnknownThatStaysUnknownIsWithheld(t *testing.T) {
	for name, c := range map[string]struct {
		faults []faulty.Fault
		want   error
	}{
		"disk full":   {[]faulty.Fault{faulty.AppliedUnknown, faulty.DiskFull}, kv.ErrDiskFull},
		"corrupt":     {[]faulty.Fault{faulty.LostUnknown, faulty.Corrupt}, kv.ErrCorrupt},
		"call failed": {[]faulty.Fault{faulty.LostUnknown, faulty.Canceled}, context.Canceled},
	} {
		o := payWith(ctx, open(faulty.Commits(newStore(t), c.faults...), txn.NoCache))
		wantErr(t, name, o.err, kv.ErrUnknown, c.want)
		if o.value != 0 || o.runs != 1 {
			t.Errorf("%s: released %d after %d runs", name, o.value, o.runs)
		}
	}
}

func TestUnknownUntilTheContextEnds(t *testing.T) {
	for _, fault := range []faulty.Fault{faulty.AppliedUnknown, faulty.LostUnknown, faulty.AppliedCanceled} {
		ctx, cancel := context.WithCancel(context.Background())
		waits := 0
		stop := txn.WithSleep(func(ctx context.Context, _ time.Duration) error {
			if waits++; waits == 4 {
				cancel()
			}
			return ctx.Err()
		})
		faults := []faulty.Fault{fault, faulty.LostUnknown, faulty.LostUnknown, faulty.LostUnknown, faulty.LostUnknown}
		o := payWith(ctx, open(faulty.Commits(newStore(t), faults...), txn.NoCache, stop))
		wantErr(t, "an unknown outcome", o.err, kv.ErrUnknown, context.Canceled)
		if o.value != 0 || o.runs != 1 || waits != 4 {
			t.Errorf("released %d after %d runs and %d waits", o.value, o.runs, waits)
		}
	}
}

// expiring makes the store forget the ID of each commit: with room for one ID,
// two commits of others come before it is sent.
func expiring(t *testing.T, sends func(n int) bool) (kv.Store, kv.Store) {
	store := memkv.New(memkv.WithCommitIDs(1))
	other := open(store, txn.NoCache)
	pay(t, other, "other", 1)
	n := 0
	return store, faulty.Wrap(store, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if c.Op == faulty.Commit {
			if n++; sends(n) {
				pay(t, other, "other", 1)
				pay(t, other, "other", 1)
			}
		}
		return nil
	}})
}

func TestExpiredAtTheFirstCommitBeginsAgain(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		_, store := expiring(t, func(n int) bool { return n <= 2 })
		o := payWith(ctx, open(store, p))
		if o.err != nil || o.value != 1 || o.runs != 3 {
			t.Errorf("%d, %v after %d runs; want 1 after 3", o.value, o.err, o.runs)
		}
	})
}

// A DB that was idle while others committed knows only an old version. A write
// without a read learns of it from the answer.
func TestOldHeadIsRefreshed(t *testing.T) {
	store := memkv.New(memkv.WithCommitIDs(1))
	idle, busy := open(store, txn.NoCache), open(store, txn.NoCache)
	write := func() error {
		_, err := txn.Do(ctx, idle, func(tx *txn.Tx) (int, error) { return 0, tokens.Put(tx, token{"x"}) })
		return err
	}
	if err := write(); err != nil {
		t.Fatal(err)
	}
	for range 5 {
		pay(t, busy, "other", 1)
	}
	if err := write(); err != nil || idle.Stats().Attempts != 3 {
		t.Errorf("%v after %d attempts in all, want 3", err, idle.Stats().Attempts)
	}
}

func TestExpiredAtAnotherCommitIsWithheld(t *testing.T) {
	for _, applied := range []bool{true, false} {
		store := memkv.New(memkv.WithCommitIDs(1))
		other := open(store, txn.NoCache)
		sent := 0
		o := payWith(ctx, open(faulty.Wrap(store, faulty.Hooks{
			Before: func(_ context.Context, c faulty.Call) error {
				if c.Op != faulty.Commit {
					return nil
				}
				if sent++; sent == 1 && !applied {
					return kv.ErrUnknown
				}
				if sent == 2 {
					pay(t, other, "other", 1)
					pay(t, other, "other", 1)
				}
				return nil
			},
			After: func(_ context.Context, c faulty.Call, err error) error {
				if c.Op == faulty.Commit && sent == 1 {
					return kv.ErrUnknown
				}
				return nil
			},
		}), txn.NoCache))
		wantErr(t, "expired at the second commit", o.err, kv.ErrUnknown, kv.ErrExpired)
		if o.value != 0 || o.runs != 1 || sent != 2 {
			t.Errorf("released %d after %d runs and %d commits", o.value, o.runs, sent)
		}
	}
}

func TestIdenticalBatchIsCommittedAgain(t *testing.T) {
	store := newStore(t)
	var sent []*kv.Batch
	db := open(faulty.Wrap(faulty.Commits(store, faulty.LostUnknown, faulty.LostUnknown), faulty.Hooks{
		Before: func(_ context.Context, c faulty.Call) error {
			if c.Op == faulty.Commit {
				sent = append(sent, c.Batch)
			}
			return nil
		},
	}), txn.NoCache)
	payWith(ctx, db)
	if len(sent) != 3 || sent[0] != sent[1] || sent[1] != sent[2] || !sent[0].Sync {
		t.Errorf("sent %d batches, want the same synced one 3 times", len(sent))
	}
	if s := db.Stats(); s.Unknown != 1 || s.Attempts != 1 {
		t.Errorf("stats %+v", s)
	}
}

// TestUndecidedIsWithheldAtOnce: an engine that failed says so, and nobody waits
// for a word that will not come.
func TestUndecidedIsWithheldAtOnce(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		sent := 0
		store := faulty.Wrap(newStore(t), faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
			if call.Op != faulty.Commit {
				return nil
			}
			if sent++; sent == 1 {
				return kv.ErrUnknown
			}
			return kv.ErrUndecided
		}})
		o := payWith(context.Background(), open(store, p))
		var unknown *txn.UnknownError
		if !errors.As(o.err, &unknown) || !errors.Is(o.err, kv.ErrUndecided) || o.runs != 1 || sent != 2 || o.value != 0 {
			t.Errorf("%d, %v after %d runs and %d commits; want an UnknownError after 1 and 2", o.value, o.err, o.runs, sent)
		}
	})
}
