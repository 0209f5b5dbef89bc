package txn_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
)

// counting counts the snapshots and turns that are open.
type counting struct {
	kv.Store
	open int
}

type countedSnapshot struct {
	kv.Snapshot
	store *counting
}

func (c *counting) Snapshot() kv.Snapshot {
	c.open++
	return &countedSnapshot{c.Store.Snapshot(), c}
}

func (s *countedSnapshot) Close() {
	s.store.open--
	s.Snapshot.Close()
}

func (c *counting) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	turn, err := c.Store.Turn(ctx, keys...)
	if err != nil {
		return turn, err
	}
	c.open++
	release := turn.Release
	turn.Release = func() { c.open--; release() }
	return turn, nil
}

// fight makes the function lose until it holds a turn, then ends it.
func fight(t *testing.T, db, rival *txn.DB, end func()) func(tx *txn.Tx) (int, error) {
	return func(tx *txn.Tx) (int, error) {
		tx.OnCommit(func() { t.Error("OnCommit ran") })
		if _, err := add(tx, "pot", 1); err != nil {
			return 0, err
		}
		if tx.Attempt() > 3 {
			end()
		}
		pay(t, rival, "pot", 1)
		return 1, nil
	}
}

func TestPanicCommitsNothingAndReleasesAll(t *testing.T) {
	store := &counting{Store: newStore(t)}
	db, rival := open(store, txn.NoCache), open(store.Store, txn.NoCache)
	func() {
		defer func() {
			if r := recover(); r != "boom" {
				t.Errorf("recovered %v, want boom", r)
			}
		}()
		txn.Do(ctx, db, fight(t, db, rival, func() { panic("boom") }))
	}()
	afterwards(t, store, db)
}

func TestGoexitCommitsNothingAndReleasesAll(t *testing.T) {
	store := &counting{Store: newStore(t)}
	db, rival := open(store, txn.NoCache), open(store.Store, txn.NoCache)
	done := make(chan struct{})
	go func() {
		defer close(done)
		txn.Do(ctx, db, fight(t, db, rival, runtime.Goexit))
	}()
	<-done
	afterwards(t, store, db)
}

func afterwards(t *testing.T, store *counting, db *txn.DB) {
	t.Helper()
	if store.open != 0 {
		t.Errorf("%d snapshots and turns are open", store.open)
	}
	if got := pay(t, db, "pot", 1); got != 4 {
		t.Errorf("balance %d, want the rival's 3 and this one's 1", got)
	}
	if s := db.Stats(); s.Transactions != 2 || s.Released != 1 {
		t.Errorf("stats %+v", s)
	}
}

func TestEveryEndClosesTheSnapshots(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		store := &counting{Store: newStore(t)}
		db := open(faulty.Commits(store, faulty.None, faulty.Conflict, faulty.AppliedUnknown, faulty.DiskFull), p)
		for range 5 {
			txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
				for range purses.Scan(tx) {
					break
				}
				if err := groups.Join(tx, members("x")); err != nil {
					return 0, err
				}
				return add(tx, "pot", 1)
			})
			txn.View(ctx, db, func(tx *txn.Tx) (int, error) { return take(tx, "none") })
			balance(t, db, "pot")
		}
		if store.open != 0 {
			t.Errorf("%d snapshots and turns are open", store.open)
		}
	})
}

func TestNestedIsRefused(t *testing.T) {
	store := newStore(t)
	db, elsewhere := open(store, txn.NoCache), open(newStore(t), txn.NoCache)
	inside := func(ctx context.Context, db *txn.DB) error {
		_, err := txn.View(ctx, db, func(tx *txn.Tx) (int, error) { return 0, nil })
		return err
	}
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		wantErr(t, "the same DB", inside(tx.Context(), db), txn.ErrNested)
		wantErr(t, "another account", inside(tx.Context(), db.Account("bob")), txn.ErrNested)
		if err := inside(tx.Context(), elsewhere); err != nil {
			t.Errorf("another store: %v", err)
		}
		return txn.Do(tx.Context(), elsewhere, func(tx *txn.Tx) (int, error) {
			wantErr(t, "through another DB", inside(tx.Context(), db), txn.ErrNested)
			return 0, nil
		})
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTxEndsWithItsFunction(t *testing.T) {
	db := open(newStore(t), txn.NoCache)
	var leaked *txn.Tx
	hooked := false
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		leaked = tx
		tx.OnCommit(func() {
			// The transaction is over: its context begins others.
			if _, err := payAgain(db); err != nil {
				t.Errorf("Do in OnCommit: %v", err)
			}
			_, err := txn.Do(tx.Context(), db, func(tx *txn.Tx) (int, error) { return add(tx, "pot", 1) })
			if err != nil {
				t.Errorf("Do with the old context: %v", err)
			}
			hooked = true
		})
		return add(tx, "pot", 1)
	})
	if err != nil || !hooked {
		t.Fatalf("%v, hook ran: %v", err, hooked)
	}
	_, _, err = purses.Get(leaked, "pot")
	wantErr(t, "Get", err, txn.ErrDone)
	wantErr(t, "Put", purses.Put(leaked, purse{}), txn.ErrDone)
	wantErr(t, "Delete", purses.Delete(leaked, "pot"), txn.ErrDone)
	wantErr(t, "Join", groups.Join(leaked, group{}), txn.ErrDone)
	wantErr(t, "Prefetch", leaked.Prefetch(purses.Ref("pot")), txn.ErrDone)
	for _, err := range purses.Scan(leaked) {
		wantErr(t, "Scan", err, txn.ErrDone)
	}
}

func TestViewRefusesWrites(t *testing.T) {
	store := newStore(t)
	_, err := txn.View(ctx, open(store, txn.NoCache), func(tx *txn.Tx) (int, error) {
		wantErr(t, "Put", purses.Put(tx, purse{"x", 0}), txn.ErrReadOnly)
		wantErr(t, "Delete", purses.Delete(tx, "x"), txn.ErrReadOnly)
		wantErr(t, "Join", groups.Join(tx, group{}), txn.ErrReadOnly)
		return 0, nil
	})
	if err != nil || head(t, store) != 0 {
		t.Errorf("%v, head %d", err, head(t, store))
	}
}

func TestWithoutSealerNothingWorks(t *testing.T) {
	db := txn.New(newStore(t)).Account("alice")
	_, err := payAgain(db)
	wantErr(t, "Do", err, txn.ErrNoSealer)
}

func TestOnCommitRunsInOrderAndOnce(t *testing.T) {
	store := newStore(t)
	db := open(faulty.Commits(store, faulty.Conflict, faulty.Conflict, faulty.AppliedUnknown), txn.NoCache)
	var ran []int
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		for i := range 3 {
			tx.OnCommit(func() {
				if head(t, store) != 1 {
					t.Error("ran before the commit")
				}
				ran = append(ran, 10*tx.Attempt()+i)
			})
		}
		return add(tx, "pot", 1)
	})
	if err != nil || !slices.Equal(ran, []int{30, 31, 32}) {
		t.Errorf("%v, ran %v; want those of the third attempt", err, ran)
	}
}

func TestOnCommitIsDroppedOtherwise(t *testing.T) {
	fail := errors.New("no")
	for name, c := range map[string]struct {
		fault faulty.Fault
		err   error
	}{
		"failure": {faulty.None, fail}, "unavailable": {faulty.Unavailable, nil},
	} {
		_, err := txn.Do(ctx, open(faulty.Commits(newStore(t), c.fault), txn.NoCache), func(tx *txn.Tx) (int, error) {
			tx.OnCommit(func() { t.Errorf("%s: OnCommit ran", name) })
			if _, err := add(tx, "pot", 1); err != nil {
				return 0, err
			}
			return 0, c.err
		})
		if err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
