package txn_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// lookStore is an engine to which each call is a round trip, counted, and which makes
// several in one.
type lookStore struct {
	kv.Store
	calls *[]string
}

type lookView struct {
	kv.Snapshot
	calls *[]string
}

func (s lookStore) Snapshot() kv.Snapshot { return lookView{s.Store.Snapshot(), s.calls} }

func (v lookView) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	*v.calls = append(*v.calls, "get")
	return v.Snapshot.Get(ctx, keys...)
}

func (v lookView) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	*v.calls = append(*v.calls, "scan")
	return v.Snapshot.Scan(ctx, prefix)
}

func (v lookView) Look(ctx context.Context, keys, prefixes []string, most int) ([]kv.Entry, []kv.Begun, error) {
	*v.calls = append(*v.calls, "look")
	entries, err := v.Snapshot.Get(ctx, keys...)
	begun := make([]kv.Begun, len(prefixes))
	for i, prefix := range prefixes {
		begun[i].Whole = true
		for e, err := range v.Snapshot.Scan(ctx, prefix) {
			if err != nil {
				return nil, nil, err
			}
			if len(begun[i].Entries) == most {
				begun[i].Whole = false
				break
			}
			begun[i].Entries = append(begun[i].Entries, e)
		}
	}
	return entries, begun, err
}

// TestPrefetchSome: what was read of scans and records in one round trip is not asked for
// again, is checked once it is looked at, and is no more than what Some finds by itself.
func TestPrefetchSome(t *testing.T) {
	for name, c := range map[string]struct {
		stored, ahead, most int
		meanwhile           bool // another comes
		looks               bool // at them, in the transaction
		calls               []string
		yields              []int
	}{
		"none":                        {0, 3, 3, false, true, []string{"look"}, []int{0}},
		"few":                         {2, 3, 3, false, true, []string{"look"}, []int{2}},
		"many":                        {9, 3, 3, false, true, []string{"look"}, []int{3}},
		"more are wanted":             {9, 3, 5, false, true, []string{"look", "scan"}, []int{5}},
		"more, and there are none":    {2, 3, 5, false, true, []string{"look"}, []int{2}},
		"one comes to none":           {0, 3, 3, true, true, []string{"look", "look"}, []int{0, 1}},
		"one comes, and nobody looks": {0, 3, 3, true, false, []string{"look"}, nil},
	} {
		inner := memkv.New()
		other := open(inner, txn.NoCache)
		for i := range c.stored {
			pay(t, other, fmt.Sprint("n", i), 1)
		}
		var calls []string
		var yields []int
		attempts := 0
		_, err := txn.Do(ctx, open(lookStore{inner, &calls}, txn.NoCache), func(tx *txn.Tx) (int, error) {
			attempts++
			if err := tx.PrefetchSome(c.ahead, []txn.Ref{purses.Under(txn.Path{})}, tokens.Ref("x")); err != nil {
				return 0, err
			}
			if _, _, err := tokens.Get(tx, "x"); err != nil {
				return 0, err
			}
			if c.looks {
				yielded, err := some(tx, c.most)
				if err != nil {
					return 0, err
				}
				yields = append(yields, len(yielded))
			}
			if c.meanwhile && attempts == 1 {
				pay(t, other, "new", 1)
			}
			return 0, tokens.Put(tx, token{"x"})
		})
		if err != nil || !slices.Equal(yields, c.yields) || !slices.Equal(calls, c.calls) {
			t.Errorf("%s: yields %d by %q, %v; want %d by %q", name, yields, calls, err, c.yields, c.calls)
		}
	}
}
