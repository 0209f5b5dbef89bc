package txn_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// adversary returns a store before each of whose commits somebody else wins:
// rival commits to the keys first. Where a turn holds the rival back, it
// commits when it is let.
func adversary(t *testing.T, inner *memkv.Store, keys ...string) (store kv.Store, wait func()) {
	rival := open(inner, txn.NoCache)
	var wg sync.WaitGroup
	return faulty.Wrap(inner, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if c.Op != faulty.Commit {
			return nil
		}
		attack := func() {
			for _, key := range keys {
				pay(t, rival, key, 1)
			}
		}
		if c.Batch.Turn == 0 {
			attack()
		} else {
			wg.Go(attack)
		}
		return nil
	}}), wg.Wait
}

func TestTurnBeatsAnAdversaryThatAlwaysWins(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		store, wait := adversary(t, newStore(t), "pot")
		db := open(store, p)
		for range 3 {
			if got := pay(t, db, "pot", 1); got < 4 {
				t.Errorf("balance %d", got)
			}
		}
		wait()
		// Three losses and the turn; then the key is hot and queued for at once,
		// once the cache says nothing of it.
		if s := db.Stats(); s.Attempts != 4+1+1 || s.Turns != 3 || s.Conflicts != 3 {
			t.Errorf("stats %+v", s)
		}
	})
}

func TestTurnsCoverAllKeysLost(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		keys := []string{"a", "b", "c", "d"}
		store, wait := adversary(t, newStore(t), keys...)
		db := open(store, p)
		_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
			// Each attempt gets further: it loses other keys each time.
			for _, key := range keys[:min(tx.Attempt(), len(keys))] {
				if _, err := add(tx, key, 1); err != nil {
					return 0, err
				}
			}
			return 0, nil
		})
		wait()
		if s := db.Stats(); err != nil || s.Attempts > 3+len(keys) {
			t.Errorf("%v after %d attempts, want at most 3 and one for each key", err, s.Attempts)
		}
	})
}

// TestTurnsCoverAllKeysRead: others who have a key for each loss get no further
// than the first turn.
func TestTurnsCoverAllKeysRead(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		inner := newStore(t)
		rival := open(inner, txn.NoCache)
		var wg sync.WaitGroup
		commits, covered := 0, 0
		db := open(faulty.Wrap(inner, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
			switch {
			case c.Op == faulty.Turn:
				covered = len(c.Keys)
			case c.Op == faulty.Commit && covered == 20:
				wg.Go(func() { pay(t, rival, "purse 19", 1) }) // when it is let
			case c.Op == faulty.Commit:
				pay(t, rival, fmt.Sprint("purse ", commits), 1) // another each time
				commits++
			}
			return nil
		}}), p)
		_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
			for i := range 20 {
				if _, err := add(tx, fmt.Sprint("purse ", i), 1); err != nil {
					return 0, err
				}
			}
			return 0, nil
		})
		wg.Wait()
		if s := db.Stats(); err != nil || s.Attempts != 5 {
			t.Errorf("%v after %d attempts, want 5", err, s.Attempts)
		}
	})
}

func TestValidatedFailureOfAFoughtOverKeyEnds(t *testing.T) {
	store, wait := adversary(t, newStore(t), "pot")
	db := open(store, txn.NoCache)
	_, err := txn.View(ctx, db, func(tx *txn.Tx) (int, error) {
		if _, _, err := purses.Get(tx, "pot"); err != nil {
			return 0, err
		}
		return 0, errEmpty
	})
	wait()
	if s := db.Stats(); !errors.Is(err, errEmpty) || s.Attempts != 4 || s.Stale != 3 {
		t.Errorf("%v, stats %+v", err, s)
	}
}

func TestJoinThatKeepsLosingTakesATurn(t *testing.T) {
	inner := newStore(t)
	rival := open(inner, txn.NoCache)
	var wg sync.WaitGroup
	n := 0
	store := faulty.Wrap(inner, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if c.Op == faulty.Commit {
			n++
			name := string(rune('a' + n))
			if c.Batch.Turn == 0 {
				joinInto(t, rival, name)
			} else {
				wg.Go(func() { joinInto(t, rival, name) })
			}
		}
		return nil
	}})
	db := open(store, txn.NoCache)
	joinInto(t, db, "mine")
	wg.Wait()
	if s := db.Stats(); s.Attempts != 1 || s.Joins != 3 || s.Turns != 1 || !has(t, db, "mine") {
		t.Errorf("stats %+v", s)
	}
}

// A store that grants no turns, or turns that expire at once, is no failure.
func TestTurnsAreAdvice(t *testing.T) {
	for _, refusal := range []error{kv.ErrUnavailable, kv.ErrClosed} {
		conflicts := slices.Repeat([]faulty.Fault{faulty.Conflict}, 8)
		store := faulty.Wrap(faulty.Commits(newStore(t), conflicts...), faulty.Hooks{
			Before: func(_ context.Context, c faulty.Call) error {
				if c.Op == faulty.Turn {
					return refusal
				}
				return nil
			}})
		db := open(store, txn.NoCache)
		if got := pay(t, db, "pot", 1); got != 1 || db.Stats().Attempts != 9 || db.Stats().Turns != 0 {
			t.Errorf("balance %d, stats %+v", got, db.Stats())
		}
	}
}

func TestExpiredTurnIsTakenAgain(t *testing.T) {
	inner := memkv.New(memkv.WithTimer(func(_ time.Duration, f func()) func() bool {
		go f() // at once
		return func() bool { return false }
	}))
	conflicts := slices.Repeat([]faulty.Fault{faulty.Conflict}, 6)
	db := open(faulty.Commits(inner, conflicts...), txn.NoCache)
	if got := pay(t, db, "pot", 1); got != 1 || db.Stats().Turns != 4 {
		t.Errorf("balance %d, stats %+v", got, db.Stats())
	}
}

func TestStarvedAfterMaxAttempts(t *testing.T) {
	store := newStore(t)
	always := slices.Repeat([]faulty.Fault{faulty.Conflict}, 20)
	db := open(faulty.Commits(store, always...), txn.NoCache, txn.WithMaxAttempts(5))
	_, err := payAgain(db)
	var starved *txn.StarvedError
	if !errors.As(err, &starved) || starved.Attempts != 5 || !errors.Is(err, kv.ErrConflict) {
		t.Errorf("Do = %v, want a StarvedError after 5", err)
	}
	if head(t, store) != 0 {
		t.Error("something was written")
	}
}

// Waits between attempts grow up to a bound and are not all the same.
func TestLosersWait(t *testing.T) {
	var waits []time.Duration
	note := txn.WithSleep(func(_ context.Context, d time.Duration) error { waits = append(waits, d); return nil })
	conflicts := slices.Repeat([]faulty.Fault{faulty.Conflict}, 2)
	for range 20 {
		pay(t, open(faulty.Commits(newStore(t), conflicts...), txn.NoCache, note), "pot", 1)
	}
	slices.Sort(waits)
	if len(waits) != 40 || len(slices.Compact(slices.Clone(waits))) < 30 || waits[39] > 2*time.Millisecond+1 {
		t.Errorf("waits %v", waits)
	}
}

// A key that is no longer fought over is queued for no longer.
func TestHotKeyCoolsDown(t *testing.T) {
	store := newStore(t)
	conflicts := slices.Repeat([]faulty.Fault{faulty.Conflict}, 3)
	db := open(faulty.Commits(store, conflicts...), txn.NoCache)
	for range 300 {
		pay(t, db, "pot", 1)
	}
	turns := db.Stats().Turns
	for range 50 {
		pay(t, db, "pot", 1)
	}
	if now := db.Stats().Turns; turns < 200 || turns > 260 || now != turns {
		t.Errorf("%d turns in the first 300 transactions, %d later", turns, now-turns)
	}
}
