package pawl

import (
	"context"
	"slices"

	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// acknowledgeChunk bounds the writes of one commit.
const acknowledgeChunk = 2000

// Acknowledge tells that the caller has stored the plaintexts of these
// receipts: the message keys kept for them are erased. From then on the
// messages are answered with ErrAlreadyProcessed. Receipts that are gone, or
// acknowledged before, are passed over. Each chunk of 2,000 is one commit.
func (m *Machine) Acknowledge(ctx context.Context, ids ...session.ReceiptID) error {
	for chunk := range slices.Chunk(ids, acknowledgeChunk) {
		_, err := txn.Do(ctx, m.db, func(tx *txn.Tx) (struct{}, error) {
			return struct{}{}, m.acknowledge(tx, chunk)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *Machine) acknowledge(tx *txn.Tx, ids []session.ReceiptID) error {
	if _, err := m.active(tx); err != nil {
		return err
	}
	found, err := receipts.GetAll(tx, ids...)
	if err != nil {
		return err
	}
	for _, f := range found {
		if _, kept := f.Value.Key(); !f.OK || !kept {
			continue
		}
		if err := receipts.Put(tx, f.Value.Acknowledged()); err != nil {
			return err
		}
	}
	return nil
}
