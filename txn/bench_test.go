package txn_test

import (
	"bytes"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/txn"
)

// raw is a record whose codec costs nothing: what is left is this package.
type raw []byte

func (r raw) AppendBinary(dst []byte) ([]byte, error) { return append(dst, r...), nil }

// raws are stored under one name.
var raws = txn.Record[int, raw]{
	Kind: "session", Codec: txn.Binary(func(b []byte) (raw, error) { return b, nil }),
	Name: func(raw) int { return 0 },
	Path: func(int) txn.Path { return txn.PathOf("peer", "id") },
}

// BenchmarkRecord reads a sealed record of 350 bytes, writes it anew and
// commits to memory.
func BenchmarkRecord(b *testing.B) {
	for name, p := range policies {
		for sealer, s := range map[string]txn.Sealer{"sealed": keyring(b), "plain": txn.Plaintext} {
			b.Run(name+"/"+sealer, func(b *testing.B) {
				db := open(memkv.New(), p, txn.WithSealer(s)).Account("a")
				value := raw(bytes.Repeat([]byte{1}, 350))
				work := func(tx *txn.Tx) (int, error) {
					if _, _, err := raws.Get(tx, 0); err != nil {
						return 0, err
					}
					return 0, raws.Put(tx, value)
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := txn.Do(ctx, db, work); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkStore is what the store costs in BenchmarkRecord.
func BenchmarkStore(b *testing.B) {
	store := memkv.New()
	key := "0123456789012345678901/session/0123456789012345678901/0123456789012345678901"
	value := bytes.Repeat([]byte{1}, 391)
	b.ReportAllocs()
	for b.Loop() {
		snap := store.Snapshot()
		got, err := snap.Get(ctx, key)
		if err != nil {
			b.Fatal(err)
		}
		v, _ := snap.Version(ctx)
		snap.Close()
		_, err = store.Commit(ctx, &kv.Batch{ID: kv.NewCommitID(v),
			Reads: []kv.Read{{Key: key, Version: got[0].Version}}, Writes: []kv.Write{{Key: key, Value: value}}})
		if err != nil {
			b.Fatal(err)
		}
	}
}
