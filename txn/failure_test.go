package txn_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
)

var errEmpty = errors.New("the purse is empty")

// take fails unless there is money.
func take(tx *txn.Tx, owner string) (int, error) {
	if err := tokens.Put(tx, token{"dropped"}); err != nil && !errors.Is(err, txn.ErrReadOnly) {
		return 0, err
	}
	p, _, err := purses.Get(tx, owner)
	if err != nil {
		return 0, err
	}
	if p.Balance == 0 {
		return 0, errEmpty
	}
	return p.Balance, nil
}

// A stale handle's failure is no failure: it is computed again.
func TestFailureOfAStaleHandleIsRetried(t *testing.T) {
	store := newStore(t)
	stale, other := open(store, txn.Validated), open(store, txn.NoCache)
	_, err := txn.Do(ctx, stale, func(tx *txn.Tx) (int, error) { return take(tx, "pot") })
	wantErr(t, "an empty purse", err, errEmpty)
	pay(t, other, "pot", 5)
	runs := 0
	got, err := txn.Do(ctx, stale, func(tx *txn.Tx) (int, error) { runs++; return take(tx, "pot") })
	if err != nil || got != 5 || runs != 2 {
		t.Errorf("%d, %v after %d runs; want 5 after 2", got, err, runs)
	}
	if s := stale.Stats(); s.Stale != 1 || s.Conflicts != 1 {
		t.Errorf("stats %+v, want one stale failure", s)
	}
}

// What changed between the read and the report makes a failure stale, under
// both policies, in Do and in View, for reads and for scans.
func TestFailureIsValidated(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		for name, do := range map[string]func(*txn.DB, func(*txn.Tx) (int, error)) (int, error){
			"Do":   func(db *txn.DB, f func(*txn.Tx) (int, error)) (int, error) { return txn.Do(ctx, db, f) },
			"View": func(db *txn.DB, f func(*txn.Tx) (int, error)) (int, error) { return txn.View(ctx, db, f) },
		} {
			for _, scan := range []bool{false, true} {
				store := newStore(t)
				db, other := open(store, p), open(store, txn.NoCache)
				runs := 0
				got, err := do(db, func(tx *txn.Tx) (int, error) {
					defer func() {
						if runs++; runs == 1 {
							pay(t, other, "pot", 5)
						}
					}()
					if scan {
						return firstPurse(tx)
					}
					return take(tx, "pot")
				})
				if err != nil || got != 5 || runs != 2 {
					t.Errorf("%s, scan %v: %d, %v after %d runs; want 5 after 2", name, scan, got, err, runs)
				}
			}
		}
	})
}

func firstPurse(tx *txn.Tx) (int, error) {
	for p, err := range purses.Scan(tx) {
		return p.Balance, err
	}
	return 0, errEmpty
}

func TestFailureWritesNothing(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		store := newStore(t)
		db := open(store, p)
		pay(t, db, "other", 1)
		before := head(t, store)
		_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return take(tx, "pot") })
		if err != errEmpty {
			t.Errorf("Do = %v, want the function's own error unchanged", err)
		}
		if head(t, store) != before || len(scanTokens(t, db)) != 0 {
			t.Error("a failure wrote something")
		}
	})
}

// A failure that cannot be validated is refused, not reported.
func TestFailureThatCannotBeValidated(t *testing.T) {
	db := open(faulty.Commits(newStore(t), faulty.Unavailable), txn.NoCache)
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return take(tx, "pot") })
	wantErr(t, "no validation", err, kv.ErrUnavailable)
	if errors.Is(err, errEmpty) {
		t.Errorf("%v reports what was not validated", err)
	}
}

func TestPhantomIsAConflict(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		store := newStore(t)
		db, other := open(store, p), open(store, txn.NoCache)
		runs := 0
		count, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
			n := 0
			for _, err := range purses.Scan(tx) {
				if err != nil {
					return 0, err
				}
				n++
			}
			if runs++; runs == 1 {
				pay(t, other, "newcomer", 1)
			}
			return n, tokens.Put(tx, token{"x"})
		})
		if err != nil || count != 1 || runs != 2 || db.Stats().Kinds["purse"] != 1 {
			t.Errorf("%d, %v after %d runs; want 1 after 2", count, err, runs)
		}
	})
}

// A read that fn made of a key that did not exist is validated too.
func TestAbsenceIsValidated(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		store := newStore(t)
		db, other := open(store, p), open(store, txn.NoCache)
		if got := balance(t, db, "pot"); got != 0 {
			t.Fatal(got)
		}
		pay(t, other, "pot", 3)
		if got := pay(t, db, "pot", 1); got != 4 {
			t.Errorf("balance %d, want 4", got)
		}
	})
}

// What fn prefetched and did not look at may change.
func TestUnusedPrefetchIsNotValidated(t *testing.T) {
	store := newStore(t)
	db, other := open(store, txn.NoCache), open(store, txn.NoCache)
	runs := 0
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		runs++
		if err := tx.Prefetch(purses.Ref("pot"), tokens.Ref("x")); err != nil {
			return 0, err
		}
		pay(t, other, "pot", 1)
		return 0, tokens.Put(tx, token{"x"})
	})
	if err != nil || runs != 1 {
		t.Errorf("%v after %d runs, want 1", err, runs)
	}
}

// Opening many records at once is neither getting them nor judging them: what nobody gets
// may change, and be damaged, and may be named twice.
func TestOpenedRecordsAreReadWhenTheyAreGot(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		store := newStore(t)
		db, other := open(store, p), open(store, txn.NoCache)
		names := []string{"damaged", "absent"}
		for n := range 100 {
			names = append(names, fmt.Sprint("n", n), fmt.Sprint("n", n))
			pay(t, other, fmt.Sprint("n", n), n)
		}
		pay(t, other, "damaged", 1)
		key := ""
		runs, sum := 0, 0
		_, err := txn.Do(ctx, db, func(tx *txn.Tx) (_ int, err error) {
			if runs++; runs == 1 {
				if key, err = purses.Key(tx, "damaged"); err != nil {
					return 0, err
				}
				w := kv.Write{Key: key, Value: []byte("damaged")}
				if _, err := store.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{w}}); err != nil {
					return 0, err
				}
			}
			if _, err := purses.GetAll(tx, names[2]); err != nil {
				return 0, err
			}
			refs := make([]txn.Ref, len(names))
			for i, name := range names {
				refs[i] = purses.Ref(name)
			}
			if err := errors.Join(tx.Prefetch(refs...), purses.Open(tx, names...)); err != nil {
				return 0, err
			}
			if runs == 1 {
				pay(t, other, "n7", 1)
			}
			sum = 0
			for n := range 100 {
				if n != 7 {
					v, _, err := purses.Get(tx, fmt.Sprint("n", n))
					sum += v.Balance
					if err != nil {
						return 0, err
					}
				}
			}
			_, _, failure := purses.Get(tx, "damaged")
			wantErr(t, "what is damaged", failure, kv.ErrCorrupt)
			return 0, tokens.Put(tx, token{"x"})
		})
		if err != nil || runs != 1 || sum != 99*100/2-7 {
			t.Errorf("%v after %d runs, and %d in all; want 1 and %d", err, runs, sum, 99*100/2-7)
		}
	})
}

// Under Validated, View may mix moments; what it returns is one moment.
func TestViewReturnsOneMoment(t *testing.T) {
	store := newStore(t)
	db, other := open(store, txn.Validated), open(store, txn.NoCache)
	pay(t, db, "a", 10) // in the cache of db
	if _, err := txn.Do(ctx, other, func(tx *txn.Tx) (int, error) {
		if _, err := add(tx, "a", -4); err != nil {
			return 0, err
		}
		return add(tx, "b", 4)
	}); err != nil {
		t.Fatal(err)
	}
	sum, err := txn.View(ctx, db, func(tx *txn.Tx) (int, error) {
		a, _, err := purses.Get(tx, "a")
		if err != nil {
			return 0, err
		}
		b, _, err := purses.Get(tx, "b")
		return a.Balance + b.Balance, err
	})
	if err != nil || sum != 10 {
		t.Errorf("the purses hold %d, %v; want 10", sum, err)
	}
}
