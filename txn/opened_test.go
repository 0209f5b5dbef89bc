package txn_test

import (
	"errors"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// countingCodec decodes purses and counts how often.
type countingCodec struct {
	txn.Codec[purse]
	decoded *int
}

func (c countingCodec) Decode(b []byte) (purse, error) {
	*c.decoded++
	return c.Codec.Decode(b)
}

func countedPurses(steady bool) (*txn.Record[string, purse], *int) {
	r, decoded := purses, new(int)
	r.Steady, r.Codec = steady, countingCodec{purses.Codec, decoded}
	return &r, decoded
}

// TestSteadyRecordsAreDecodedOnce: the same bytes are decoded once, other bytes anew,
// whoever wrote them, and each call reads the store.
func TestSteadyRecordsAreDecodedOnce(t *testing.T) {
	for _, steady := range []bool{false, true} {
		store := newStore(t)
		ours, theirs := open(store, txn.NoCache), open(store, txn.NoCache)
		r, decoded := countedPurses(steady)
		see := func(want, decodings int) {
			t.Helper()
			*decoded = 0
			for range 3 {
				p, err := txn.View(ctx, ours, func(tx *txn.Tx) (purse, error) {
					p, _, err := r.Get(tx, "pot")
					return p, err
				})
				if err != nil || p.Balance != want {
					t.Fatalf("steady %v: %+v, %v; want %d", steady, p, err, want)
				}
			}
			if *decoded != decodings {
				t.Errorf("steady %v: decoded %d times, want %d", steady, *decoded, decodings)
			}
		}
		once := 3
		if steady {
			once = 1
		}
		pay(t, theirs, "pot", 1)
		see(1, once)
		pay(t, theirs, "pot", 2)
		see(3, once)
		pay(t, ours, "pot", 4)
		see(7, once)
		key := dump(t, store)[0].Key
		overwrite(t, store, key, []byte("something else"))
		_, err := txn.View(ctx, ours, func(tx *txn.Tx) (purse, error) {
			p, _, err := r.Get(tx, "pot")
			return p, err
		})
		if !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("steady %v: what is damaged is read as what was there: %v", steady, err)
		}
	}
}

// TestSteadyRecordsUnderOtherKeys: bytes that were opened under one key are not
// taken for those of another.
func TestSteadyRecordsUnderOtherKeys(t *testing.T) {
	store := newStore(t)
	db := open(store, txn.NoCache)
	r, _ := countedPurses(true)
	read := func(owner string) error {
		_, err := txn.View(ctx, db, func(tx *txn.Tx) (purse, error) {
			p, _, err := r.Get(tx, owner)
			return p, err
		})
		return err
	}
	pay(t, db, "pot", 1)
	pay(t, db, "tin", 1)
	if err := errors.Join(read("pot"), read("tin")); err != nil {
		t.Fatal(err)
	}
	all := dump(t, store)
	overwrite(t, store, all[0].Key, all[1].Value)
	overwrite(t, store, all[1].Key, all[0].Value)
	for _, owner := range []string{"pot", "tin"} {
		if err := read(owner); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("the record of another key is read as that of %s: %v", owner, err)
		}
	}
}
