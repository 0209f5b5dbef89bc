package txn_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// some returns the owners of no more than most purses.
func some(tx *txn.Tx, most int) (owners []string, err error) {
	for p, err := range purses.Some(tx, txn.Path{}, most) {
		if err != nil {
			return nil, err
		}
		owners = append(owners, p.Owner)
	}
	return owners, nil
}

// TestSomeInACommit: what rests on some records being there fits a commit of any
// engine, however many there are; it holds as long as those do, and that there is
// none as long as none comes.
func TestSomeInACommit(t *testing.T) {
	const many = kv.FloorChecks + 50
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		for name, c := range map[string]struct {
			stored, most int
			meanwhile    func(db *txn.DB, yielded []string) // in the first attempt, after the look
			yields       []int                              // in each attempt
		}{
			"many":                      {many, 1, nil, []int{1}},
			"many, and more are wanted": {many, kv.FloorChecks - 1, nil, []int{kv.FloorChecks - 1}},
			"as many as are wanted":     {3, 3, nil, []int{3}},
			"few":                       {2, 3, nil, []int{2}},
			"none":                      {0, 1, nil, []int{0}},
			"that one changes":          {many, 1, func(db *txn.DB, y []string) { pay(t, db, y[0], 1) }, []int{1, 1}},
			"that one goes":             {many, 1, func(db *txn.DB, y []string) { drop(t, db, y[0]) }, []int{1, 1}},
			"another comes":             {many, 1, func(db *txn.DB, _ []string) { pay(t, db, "new", 1) }, []int{1}},
			"another comes to few":      {2, 3, func(db *txn.DB, _ []string) { pay(t, db, "new", 1) }, []int{2, 3}},
			"one comes to none":         {0, 1, func(db *txn.DB, _ []string) { pay(t, db, "new", 1) }, []int{0, 1}},
		} {
			store := memkv.New(memkv.WithLimits(kv.Floor()))
			db, other := open(store, p), open(store, p)
			for i := range c.stored {
				pay(t, other, fmt.Sprint("n", i), 1)
			}
			var yields []int
			_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
				yielded, err := some(tx, c.most)
				if err != nil {
					return 0, err
				}
				yields = append(yields, len(yielded))
				if len(yields) == 1 && c.meanwhile != nil {
					c.meanwhile(other, yielded)
				}
				return 0, tokens.Put(tx, token{"x"})
			})
			if err != nil || !slices.Equal(yields, c.yields) {
				t.Errorf("%s: yields %d, %v; want %d", name, yields, err, c.yields)
			}
		}
	})
}

func drop(t *testing.T, db *txn.DB, owner string) {
	t.Helper()
	if _, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return 0, purses.Delete(tx, owner) }); err != nil {
		t.Fatal(err)
	}
}

// TestSomeSeesOwnWrites: what the transaction wrote is among them, what it deleted
// or set aside is not, and what was set aside before neither.
func TestSomeSeesOwnWrites(t *testing.T) {
	store := newStore(t)
	db := open(store, txn.NoCache)
	for _, owner := range []string{"a", "b", "c"} {
		pay(t, db, owner, 1)
	}
	aside := func(tx *txn.Tx, owner string) error {
		key, err := purses.Key(tx, owner)
		if err != nil {
			return err
		}
		return tx.SetAside(key, time.Unix(1, 0))
	}
	if _, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return 0, aside(tx, "a") }); err != nil {
		t.Fatal(err)
	}
	_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) {
		for _, step := range []struct {
			does func() error
			one  bool
			all  []string
		}{
			{func() error { return nil }, true, []string{"b", "c"}},
			{func() error { return purses.Delete(tx, "b") }, true, []string{"c"}},
			{func() error { return aside(tx, "c") }, false, nil},
			{func() error { return purses.Put(tx, purse{"b", 7}) }, true, []string{"b"}},
			{func() error { return purses.Put(tx, purse{"d", 7}) }, true, []string{"b", "d"}},
		} {
			if err := step.does(); err != nil {
				return 0, err
			}
			one, err := some(tx, 1)
			if err != nil || (len(one) == 1) != step.one {
				t.Errorf("one of %q is %q, %v", step.all, one, err)
			}
			all, err := some(tx, 10)
			slices.Sort(all)
			if err != nil || !slices.Equal(all, step.all) {
				t.Errorf("all are %q, %v; want %q", all, err, step.all)
			}
		}
		return 0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// scanCounter counts the entries that scans yield.
type scanCounter struct {
	kv.Store
	yielded *int
}

type countedScans struct {
	kv.Snapshot
	yielded *int
}

func (c scanCounter) Snapshot() kv.Snapshot { return countedScans{c.Store.Snapshot(), c.yielded} }

func (s countedScans) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		for e, err := range s.Snapshot.Scan(ctx, prefix) {
			*s.yielded++
			if !yield(e, err) {
				return
			}
		}
	}
}

// TestSomeReadsNoMore: the engine is not asked for what nobody looks at.
func TestSomeReadsNoMore(t *testing.T) {
	inner := newStore(t)
	for i := range 20 {
		pay(t, open(inner, txn.NoCache), fmt.Sprint("n", i), 1)
	}
	read := 0
	_, err := txn.View(ctx, open(scanCounter{inner, &read}, txn.NoCache), func(tx *txn.Tx) (int, error) {
		if _, err := some(tx, 3); err != nil {
			return 0, err
		}
		own, _ := open(inner, txn.NoCache).Scope()
		e, ok, err := tx.AnyEntry(own + "/")
		if !ok || !strings.HasPrefix(e.Key, own+"/") {
			t.Errorf("any entry: %q, %t", e.Key, ok)
		}
		return 0, err
	})
	if err != nil || read != 4 {
		t.Errorf("%d entries were read, %v; want 3 and 1", read, err)
	}
}

// TestSomeOfADamagedStore: where the engine cannot tell which entries there are
// nothing can be said; a record that cannot be read is one.
func TestSomeOfADamagedStore(t *testing.T) {
	inner := newStore(t)
	db := open(inner, txn.NoCache)
	pay(t, db, "a", 1)
	bad := errors.New("page 7")
	failing := faulty.Wrap(inner, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if c.Op == faulty.Scan {
			return fmt.Errorf("%w: %w", kv.ErrCorrupt, bad)
		}
		return nil
	}})
	look := func(tx *txn.Tx) (int, error) {
		_, err := some(tx, 1)
		return 0, err
	}
	_, err := txn.View(ctx, open(failing, txn.NoCache), look)
	wantErr(t, "the engine", err, kv.ErrCorrupt, bad)
	overwrite(t, inner, dump(t, inner)[0].Key, []byte{9})
	_, err = txn.View(ctx, open(inner, txn.NoCache), look)
	if !errors.As(err, new(*txn.RecordError)) {
		t.Errorf("a damaged record: %v, want a RecordError", err)
	}
}
