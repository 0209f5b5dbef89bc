package txn_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
)

// crowd runs f in n goroutines, each with the DB of one of several processes.
func crowd(dbs []*txn.DB, n int, f func(db *txn.DB, id int)) {
	var wg sync.WaitGroup
	for id := range n {
		wg.Go(func() { f(dbs[id%len(dbs)], id) })
	}
	wg.Wait()
}

func handles(store kv.Store, n int, p txn.CachePolicy) []*txn.DB {
	dbs := make([]*txn.DB, n)
	for i := range dbs {
		dbs[i] = open(store, p)
	}
	return dbs
}

func TestCounterLosesNothing(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		const writers, each = 12, 60
		dbs := handles(newStore(t), 3, p)
		var mu sync.Mutex
		released := map[int]bool{}
		crowd(dbs, writers, func(db *txn.DB, _ int) {
			for range each {
				got := pay(t, db, "pot", 1)
				mu.Lock()
				if released[got] {
					t.Errorf("the value %d was released twice", got)
				}
				released[got] = true
				mu.Unlock()
			}
		})
		if got := balance(t, dbs[0], "pot"); got != writers*each || len(released) != writers*each {
			t.Errorf("balance %d, %d values released, want %d", got, len(released), writers*each)
		}
	})
}

func TestTransfersKeepTheSum(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		const people, money = 5, 100
		dbs := handles(newStore(t), 3, p)
		name := func(i int) string { return fmt.Sprint("p", i) }
		for i := range people {
			pay(t, dbs[0], name(i), money)
		}
		crowd(dbs, 9, func(db *txn.DB, id int) {
			r := rand.New(rand.NewPCG(uint64(id), 1))
			for range 80 {
				if id%3 == 2 {
					checkSum(t, db, people*money)
					continue
				}
				transfer(t, db, name(r.IntN(people)), name(r.IntN(people)), r.IntN(40))
			}
		})
		for _, db := range dbs {
			checkSum(t, db, people*money)
		}
	})
}

var errPoor = errors.New("not enough")

func transfer(t *testing.T, db *txn.DB, from, to string, n int) {
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		left, err := add(tx, from, -n)
		if err != nil {
			return 0, err
		}
		if left < 0 {
			return 0, errPoor
		}
		return add(tx, to, n)
	})
	if err != nil && !errors.Is(err, errPoor) {
		t.Errorf("transfer: %v", err)
	}
}

func checkSum(t *testing.T, db *txn.DB, want int) {
	got, err := txn.View(ctx, db, func(tx *txn.Tx) (int, error) {
		sum := 0
		for p, err := range purses.Scan(tx) {
			if err != nil {
				return 0, err
			}
			sum += p.Balance
		}
		return sum, nil
	})
	if err != nil || got != want {
		t.Errorf("the purses hold %d, %v; want %d", got, err, want)
	}
}

// Each result carries a token that its attempt wrote: those released must be
// those stored, also when answers of the store get lost.
func TestReleasedIsWhatWasCommitted(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		store := newStore(t)
		dbs := []*txn.DB{open(losing(store, 1), p), open(losing(store, 2), p), open(store, p)}
		var mu sync.Mutex
		released := map[string]bool{}
		crowd(dbs, 6, func(db *txn.DB, id int) {
			for n := range 50 {
				name, err := txn.Do(ctx, db, func(tx *txn.Tx) (string, error) {
					if _, err := add(tx, "pot", 1); err != nil {
						return "", err
					}
					name := fmt.Sprintf("%d/%d/%d", id, n, tx.Attempt())
					return name, tokens.Put(tx, token{name})
				})
				if err != nil {
					t.Errorf("writer %d: %v", id, err)
				}
				mu.Lock()
				released[name] = true
				mu.Unlock()
			}
		})
		stored := 0
		for tok, err := range scanTokens(t, dbs[2]) {
			stored++
			if err != nil || !released[tok.By] {
				t.Errorf("stored but not released: %v, %v", tok, err)
			}
		}
		if stored != 300 || len(released) != 300 || balance(t, dbs[2], "pot") != 300 {
			t.Errorf("%d stored, %d released, want 300", stored, len(released))
		}
	})
}

func scanTokens(t *testing.T, db *txn.DB) map[token]error {
	all, err := txn.View(ctx, db, func(tx *txn.Tx) (map[token]error, error) {
		all := map[token]error{}
		for tok, err := range tokens.Scan(tx) {
			all[tok] = err
		}
		return all, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// losing loses the answers of many commits. It makes up no conflicts: after an
// unknown outcome a conflict must be true.
func losing(store kv.Store, seed uint64) kv.Store {
	r := rand.New(rand.NewPCG(seed, 2))
	kinds := []faulty.Fault{faulty.None, faulty.None, faulty.AppliedUnknown, faulty.LostUnknown, faulty.LateUnknown}
	faults := make([]faulty.Fault, 400)
	for i := range faults {
		faults[i] = kinds[r.IntN(len(kinds))]
	}
	return faulty.Commits(store, faults...)
}
