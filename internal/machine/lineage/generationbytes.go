package lineage

import (
	"context"

	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/txn"
)

// generations is the store's part of its witness's mark. A store without the
// record never had a witness.
var generations = txn.Single[uint64]{Kind: "witness", Codec: generationCodec{}, Shared: true}

// witnessKey is where it is stored.
const witnessKey = "_/witness"

type generationCodec struct{}

const (
	generationVersion = 1
	generationFields  = 1
)

func (generationCodec) Append(dst []byte, generation uint64) ([]byte, error) {
	return append(dst, frame.Encode(generationVersion, generationFields, 16, func(w *frame.Writer) { w.Uint(generation) })...), nil
}

func (generationCodec) Decode(b []byte) (generation uint64, err error) {
	err = frame.Decode("witness", b, generationVersion, generationFields, func(r *frame.Reader) {
		generation = r.Uint(1<<64 - 1)
		r.Check(generation != 0, "generation")
	})
	return generation, machine.Decoded(err)
}

func readGeneration(ctx context.Context, db *txn.DB) (uint64, error) {
	return txn.View(ctx, db, func(tx *txn.Tx) (uint64, error) {
		generation, _, err := getGeneration(tx)
		return generation, err
	})
}

// replaceGeneration replaces one generation by another, and returns false if
// there is a third.
func (c comparison) replaceGeneration(ctx context.Context, from, to uint64) (bool, error) {
	return txn.Do(ctx, c.store.DB, func(tx *txn.Tx) (bool, error) {
		generation, _, err := getGeneration(tx)
		if err != nil || generation != to && generation != from {
			return false, err
		}
		return true, putGeneration(tx, to, c.watch.by())
	})
}
