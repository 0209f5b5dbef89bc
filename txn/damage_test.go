package txn_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// Whatever is wrong with a value is an error that names the key and says that
// it is damaged; reading elsewhere goes on.
func TestDamagedRecords(t *testing.T) {
	k := keyring(t)
	damage := map[string]struct {
		value  func(key, other kv.Entry) []byte
		format bool
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
			wantErr(t, name, err, kv.ErrCorrupt)
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
