package txn_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// purseful is a store at the floor with more purses than one commit checks.
func purseful(t *testing.T) (store kv.Store, owners []string) {
	t.Helper()
	store = memkv.New(memkv.WithLimits(kv.Floor()))
	db := open(store, txn.NoCache)
	for i := range kv.FloorChecks + 50 {
		owners = append(owners, fmt.Sprint("owner", i))
		pay(t, db, owners[i], 1)
	}
	return store, owners
}

// sums are ways to look at all purses.
var sums = map[string]func(tx *txn.Tx, owners []string) (int, error){
	"reads": func(tx *txn.Tx, owners []string) (sum int, err error) {
		found, err := purses.GetAll(tx, owners...)
		for _, f := range found {
			sum += f.Value.Balance
		}
		return sum, err
	},
	"scan": func(tx *txn.Tx, _ []string) (sum int, err error) {
		for p, err := range purses.Scan(tx) {
			if err != nil {
				return 0, err
			}
			sum += p.Balance
		}
		return sum, nil
	},
}

// TestLargeReadsAreValidated: what is only looked at may be more than a commit
// checks, and a result or a failure computed from it is validated all the same.
func TestLargeReadsAreValidated(t *testing.T) {
	changes := map[string]func(*testing.T, *txn.DB){
		"changes": func(t *testing.T, db *txn.DB) { pay(t, db, "owner7", 10) },
		"comes":   func(t *testing.T, db *txn.DB) { pay(t, db, "a stranger", 10) },
		"goes": func(t *testing.T, db *txn.DB) {
			if _, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return 0, purses.Delete(tx, "owner7") }); err != nil {
				t.Fatal(err)
			}
		},
		"is the same": nil,
	}
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		for how, sum := range sums {
			for what, change := range changes {
				t.Run(how+"/one "+what, func(t *testing.T) { testLargeReads(t, p, how, sum, change) })
			}
		}
	})
}

func testLargeReads(t *testing.T, p txn.CachePolicy, how string, sum func(*txn.Tx, []string) (int, error), change func(*testing.T, *txn.DB)) {
	store, owners := purseful(t)
	db, other := open(store, p), open(store, txn.NoCache)
	runs, last := 0, 0
	_, err := txn.View(ctx, db, func(tx *txn.Tx) (int, error) {
		var err error
		if last, err = sum(tx, owners); err != nil {
			return 0, err
		}
		if runs++; runs == 1 && change != nil {
			change(t, other)
		}
		return 0, errEmpty
	})
	wantErr(t, "the failure", err, errEmpty)
	want, wantRuns := balanceOfAll(t, other, how, owners), 2
	if change == nil || how == "reads" && want == len(owners) {
		wantRuns = 1 // nothing that was read has changed
	}
	if last != want || runs != wantRuns {
		t.Errorf("the failure saw %d in %d runs, want %d in %d", last, runs, want, wantRuns)
	}
}

func balanceOfAll(t *testing.T, db *txn.DB, how string, owners []string) int {
	t.Helper()
	got, err := txn.View(ctx, db, func(tx *txn.Tx) (int, error) { return sums[how](tx, owners) })
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestLargeReadsOfTheCache: a result that rests on memory is validated too.
func TestLargeReadsOfTheCache(t *testing.T) {
	store, owners := purseful(t)
	db, other := open(store, txn.Validated), open(store, txn.NoCache)
	if got := balanceOfAll(t, db, "reads", owners); got != len(owners) {
		t.Fatalf("the purses hold %d", got)
	}
	pay(t, other, "owner7", 10)
	if got := balanceOfAll(t, db, "reads", owners); got != len(owners)+10 {
		t.Errorf("the purses hold %d, want %d", got, len(owners)+10)
	}
	if s := db.Stats(); s.Conflicts != 1 {
		t.Errorf("stats %+v, want one conflict", s)
	}
}

// TestLargeWritesAreTooLarge: what is written must fit one commit, with all it
// rests on.
func TestLargeWritesAreTooLarge(t *testing.T) {
	store, owners := purseful(t)
	db := open(store, txn.NoCache)
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		if _, err := sums["reads"](tx, owners); err != nil {
			return 0, err
		}
		return add(tx, "owner7", 1)
	})
	if !errors.Is(err, kv.ErrTooLarge) {
		t.Errorf("error %v, want ErrTooLarge", err)
	}
}
