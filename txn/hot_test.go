package txn_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
)

// attacking returns a store at whose n-th commit somebody else commits to
// victims[n] first, and notes on how many keys each turn was asked for.
func attacking(t *testing.T, victims ...string) (store kv.Store, turns *[]int) {
	inner := newStore(t)
	rival := open(inner, txn.NoCache)
	turns = new([]int)
	return faulty.Wrap(inner, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		switch {
		case c.Op == faulty.Turn:
			*turns = append(*turns, len(c.Keys))
		case c.Op == faulty.Commit && len(victims) > 0:
			victim := victims[0]
			victims = victims[1:]
			if victim != "" {
				pay(t, rival, victim, 1)
			}
		}
		return nil
	}}), turns
}

func addAll(tx *txn.Tx, names ...string) (int, error) {
	for _, name := range names {
		if _, err := add(tx, name, 1); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func TestThirdLossTakesATurnWhateverWasLost(t *testing.T) {
	store, turns := attacking(t, "a", "b", "c")
	db := open(store, txn.NoCache)
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return addAll(tx, "a", "b", "c", "d") })
	if s := db.Stats(); err != nil || s.Attempts != 4 || !slices.Equal(*turns, []int{3}) {
		t.Errorf("%v after %d attempts, turns on %v keys; want 4 and one on 3", err, s.Attempts, *turns)
	}
}

// One that queued for a hot key and lost another queues for both.
func TestNextTurnCoversTheLast(t *testing.T) {
	store, turns := attacking(t, "a", "a", "a", "", "b")
	db := open(store, txn.NoCache)
	pay(t, db, "a", 1)
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return addAll(tx, "a", "b") })
	if err != nil || !slices.Equal(*turns, []int{1, 1, 2}) {
		t.Errorf("%v, turns on %v keys; want 1 when lost, 1 when hot, then 2", err, *turns)
	}
}

// Losses of several transactions make a key hot; one that wins it at once
// makes them forgotten.
func TestLossesOfAllTransactionsCount(t *testing.T) {
	for won, want := range map[bool]int{false: 1, true: 0} {
		victims := []string{"a", "", "a", "", "a", ""}
		if won {
			victims = slices.Insert(victims, 4, "")
		}
		store, turns := attacking(t, victims...)
		db := open(store, txn.NoCache)
		pay(t, db, "a", 1)
		pay(t, db, "a", 1)
		if won {
			pay(t, db, "a", 1)
		}
		pay(t, db, "a", 1)
		if len(*turns) != want {
			t.Errorf("won between: %v, %d turns, want %d", won, len(*turns), want)
		}
	}
}

// What is queued for is read from the store: the cache may be behind.
func TestHotKeyIsNotReadFromTheCache(t *testing.T) {
	inner := newStore(t)
	other := open(inner, txn.NoCache)
	db := open(faulty.Commits(inner, slices.Repeat([]faulty.Fault{faulty.Conflict}, 3)...), txn.Validated)
	pay(t, db, "a", 1)
	pay(t, other, "a", 1)
	if got := pay(t, db, "a", 1); got != 3 || db.Stats().Conflicts != 3 {
		t.Errorf("balance %d after %d conflicts, want 3 after the first 3", got, db.Stats().Conflicts)
	}
}

// A store need name only one of the keys that conflict. An old cache must not
// cost an attempt for each of the others.
func TestOldCacheCostsFewAttempts(t *testing.T) {
	inner := newStore(t)
	other := open(inner, txn.NoCache)
	var names []string
	for n := range 8 {
		names = append(names, fmt.Sprint("n", n))
	}
	all := func(tx *txn.Tx) (int, error) { return addAll(tx, names...) }
	db := open(faulty.Wrap(inner, faulty.Hooks{After: func(_ context.Context, _ faulty.Call, err error) error {
		var conflict *kv.ConflictError
		if errors.As(err, &conflict) {
			return &kv.ConflictError{Keys: conflict.Keys[:1]}
		}
		return nil
	}}), txn.Validated)
	for _, by := range []*txn.DB{db, other, db} {
		if _, err := txn.Do(ctx, by, all); err != nil {
			t.Fatal(err)
		}
	}
	if s := db.Stats(); s.Attempts != 1+3 {
		t.Errorf("%d attempts in all, want 4", s.Attempts)
	}
}

// What a scan covers is neither read again nor checked twice: what it has yielded, and
// that there is nothing else.
func TestScannedReadsAreValidatedByTheScan(t *testing.T) {
	inner := newStore(t)
	pay(t, open(inner, txn.NoCache), "a", 1)
	var sent *kv.Batch
	store := faulty.Wrap(inner, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		switch c.Op {
		case faulty.Get:
			t.Errorf("%v are read", c.Keys)
		case faulty.Commit:
			sent = c.Batch
		}
		return nil
	}})
	_, err := txn.Do(ctx, open(store, txn.NoCache), func(tx *txn.Tx) (int, error) {
		if _, err := firstPurse(tx); err != nil {
			return 0, err
		}
		return addAll(tx, "a", "b")
	})
	if err != nil || len(sent.Reads) != 0 || len(sent.Scans) != 1 || len(sent.Scans[0].Entries) != 1 {
		t.Errorf("%v, sent reads %v and scans %v", err, sent.Reads, sent.Scans)
	}
}
