package txn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// Whatever is wrong with a value is an error that names the key and says that
// it is damaged; reading elsewhere goes on.
func TestDamagedRecords(t *testing.T) {
	k := keyring(t)
	damage := map[string]struct {
		value  func(key, other kv.Entry) []byte
		format bool // and newer: no damage
	}{
		"moved from another key": {func(_, other kv.Entry) []byte { return other.Value }, false},
		"flipped":                {func(e, _ kv.Entry) []byte { v := bytes.Clone(e.Value); v[30] ^= 1; return v }, false},
		"cut":                    {func(e, _ kv.Entry) []byte { return e.Value[:20] }, false},
		"empty":                  {func(kv.Entry, kv.Entry) []byte { return nil }, false},
		"trailing byte":          {func(e, _ kv.Entry) []byte { return reseal(k, e, func(p []byte) []byte { return append(p, 0) }) }, true},
		"newer version":          {func(e, _ kv.Entry) []byte { return reseal(k, e, func(p []byte) []byte { p[0]++; return p }) }, true},
		"nothing inside":         {func(e, _ kv.Entry) []byte { return reseal(k, e, func([]byte) []byte { return nil }) }, true},
		"another type":           {func(e, _ kv.Entry) []byte { return reseal(k, e, func([]byte) []byte { return []byte{1, 0x91, 1} }) }, true},
		"null":                   {func(e, _ kv.Entry) []byte { return reseal(k, e, func([]byte) []byte { return []byte{1, 0xc0} }) }, true},
	}
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		for name, d := range damage {
			store := newStore(t)
			db := open(store, p, txn.WithSealer(k))
			pay(t, db, "other", 1)
			other := dump(t, store)[0]
			pay(t, db, "pot", 1)
			entry := other
			for _, e := range dump(t, store) {
				if e.Key != other.Key {
					entry = e
				}
			}
			overwrite(t, store, entry.Key, d.value(entry, other))
			_, err := payAgain(open(store, p, txn.WithSealer(k)))
			wanted := kv.ErrCorrupt
			if name == "newer version" {
				wanted = kv.ErrNewer
			}
			wantErr(t, name, err, wanted)
			if errors.Is(err, kv.ErrCorrupt) == errors.Is(err, kv.ErrNewer) {
				t.Errorf("%s: %v is damaged and newer, or neither", name, err)
			}
			var at *txn.RecordError
			if !errors.As(err, &at) || at.Key != entry.Key || errors.Is(err, txn.ErrFormat) != d.format {
				t.Errorf("%s: %v; want a RecordError for %q, ErrFormat %v", name, err, entry.Key, d.format)
			}
			if got := balance(t, db, "other"); got != 1 {
				t.Errorf("%s: the other record has %d", name, got)
			}
			if good, bad := scanAll(t, open(store, p, txn.WithSealer(k))); good != 1 || bad != 1 {
				t.Errorf("%s: a scan finds %d good and %d bad records", name, good, bad)
			}
		}
	})
}

// TestDamagedKeyAmongOthers: a key that the engine cannot read keeps none of
// those that are read with it, and what is made of them is validated and
// committed.
func TestDamagedKeyAmongOthers(t *testing.T) {
	k := keyring(t)
	eachPolicy(t, func(t *testing.T, p txn.CachePolicy) {
		inner := newStore(t)
		db := open(inner, txn.NoCache, txn.WithSealer(k))
		pay(t, db, "whole", 1)
		whole := dump(t, inner)[0].Key
		pay(t, db, "bad", 1)
		var bad string
		for _, e := range dump(t, inner) {
			if e.Key != whole {
				bad = e.Key
			}
		}
		store := faulty.Wrap(inner, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
			if c.Op == faulty.Get && slices.Contains(c.Keys, bad) {
				return fmt.Errorf("page 7: %w", kv.ErrCorrupt)
			}
			return nil
		}})
		attempts := 0
		_, err := txn.Do(ctx, open(store, p, txn.WithSealer(k)), func(tx *txn.Tx) (int, error) {
			if attempts++; attempts == 1 {
				defer pay(t, db, "whole", 1) // somebody else's, after this attempt has read
			}
			found, err := purses.GetAll(tx, "bad", "whole")
			if err != nil {
				return 0, err
			}
			var at *txn.RecordError
			if !errors.As(found[0].Err, &at) || at.Key != bad || !errors.Is(found[0].Err, kv.ErrCorrupt) || found[0].OK {
				t.Errorf("the bad one is %+v", found[0])
			}
			if !found[1].OK || found[1].Err != nil {
				t.Errorf("the whole one is %+v", found[1])
			}
			return 0, purses.Put(tx, purse{"whole", found[1].Value.Balance + 1})
		})
		if err != nil || attempts != 2 {
			t.Errorf("%d attempts, %v; want 2", attempts, err)
		}
		if got := balance(t, db, "whole"); got != 3 {
			t.Errorf("the whole purse has %d, want 3", got)
		}
		_, err = txn.Do(ctx, open(store, p, txn.WithSealer(k)), func(tx *txn.Tx) (int, error) {
			_, _, err := purses.Get(tx, "bad")
			return 0, err
		})
		wantErr(t, "the bad one alone", err, kv.ErrCorrupt)
	})
}

func reseal(k seal.Keyring, e kv.Entry, change func([]byte) []byte) []byte {
	plain, err := k.Open(nil, e.Key, e.Value)
	if err != nil {
		panic(err)
	}
	return k.Seal(nil, e.Key, change(plain))
}

func scanAll(t *testing.T, db *txn.DB) (good, bad int) {
	_, err := txn.View(ctx, db, func(tx *txn.Tx) (int, error) {
		good, bad = 0, 0
		for _, err := range purses.Scan(tx) {
			if err != nil {
				bad++
			} else {
				good++
			}
		}
		return 0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return good, bad
}
