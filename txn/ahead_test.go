package txn_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
)

// under returns the owners of purses under a first segment.
func under(tx *txn.Tx, first string) (owners []string, err error) {
	for p, err := range purses.ScanUnder(tx, txn.PathOf(first)) {
		if err != nil {
			return nil, err
		}
		owners = append(owners, p.Owner)
	}
	slices.Sort(owners)
	return owners, nil
}

// TestScanAhead: parts of what was scanned ahead are those that scanning each yields,
// own writes included, in one scan of the store, which the commit checks as a whole.
func TestScanAhead(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		for most, want := range map[int]struct {
			ahead bool
			scans int // of the store, in an attempt
			runs  int // if another one comes meanwhile where nobody looks
		}{
			5: {true, 1, 2},
			4: {false, 5, 1},
		} {
			inner := newStore(t)
			other := open(inner, p)
			for _, owner := range []string{"a/1", "a/2", "b/1", "c/1", "ab/1"} {
				pay(t, other, owner, 1)
			}
			scans, runs := 0, 0
			store := faulty.Wrap(inner, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
				if c.Op == faulty.Scan {
					scans++
				}
				return nil
			}})
			_, err := txn.Do(ctx, open(store, p), func(tx *txn.Tx) (int, error) {
				runs++
				scans = 0
				if err := purses.Put(tx, purse{"b/2", 1}); err != nil {
					return 0, err
				}
				if ahead, err := purses.ScanAhead(tx, most+runs-1); ahead != want.ahead || err != nil {
					t.Errorf("most %d: scanned ahead: %v, %v", most, ahead, err)
				}
				for first, owners := range map[string]string{"a": "a/1 a/2", "ab": "ab/1", "b": "b/1 b/2", "d": ""} {
					if got, err := under(tx, first); strings.Join(got, " ") != owners || err != nil {
						t.Errorf("most %d: under %s are %v, %v; want %s", most, first, got, err, owners)
					}
				}
				if runs == 1 {
					pay(t, other, "c/2", 1)
				}
				return 0, nil
			})
			if err != nil || scans != want.scans || runs != want.runs {
				t.Errorf("most %d: %d scans, %d runs, %v; want %+v", most, scans, runs, err, want)
			}
		}
	})
}

// TestScanAheadOfDamage: what the store cannot read is the matter of who needs it.
func TestScanAheadOfDamage(t *testing.T) {
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		inner := newStore(t)
		pay(t, open(inner, p), "a/1", 1)
		var whole string
		store := faulty.Wrap(inner, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
			if c.Op == faulty.Scan && c.Prefix == whole {
				return fmt.Errorf("page 7: %w", kv.ErrCorrupt)
			}
			return nil
		}})
		_, err := txn.Do(ctx, open(store, p), func(tx *txn.Tx) (int, error) {
			key, err := purses.Key(tx, "a/1")
			if err != nil {
				return 0, err
			}
			whole = key[:strings.Index(key, "purse/")+len("purse/")]
			if ahead, err := purses.ScanAhead(tx, 10); ahead || err != nil {
				t.Errorf("scanned ahead of damage: %v, %v", ahead, err)
			}
			if got, err := under(tx, "a"); len(got) != 1 || err != nil {
				t.Errorf("a part is %v, %v", got, err)
			}
			return 0, tokens.Put(tx, token{"x"})
		})
		if err != nil {
			t.Error(err)
		}
	})
}
