package todevice

import (
	"context"
	"slices"

	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// acknowledgeChunk bounds the writes of one commit.
const acknowledgeChunk = 2000

// Acknowledge erases the message keys that receipts keep.
func (m *Messages) Acknowledge(ctx context.Context, ids ...session.ReceiptID) error {
	for chunk := range slices.Chunk(ids, acknowledgeChunk) {
		if err := m.account.Do(ctx, func(tx *txn.Tx) error { return m.acknowledge(tx, chunk) }); err != nil {
			return err
		}
	}
	return nil
}

func (m *Messages) acknowledge(tx *txn.Tx, ids []session.ReceiptID) error {
	if _, err := m.account.Active(tx); err != nil {
		return err
	}
	found, err := records.Receipts.GetAll(tx, ids...)
	if err != nil {
		return err
	}
	for _, f := range found {
		if _, kept := f.Value.Key(); !f.OK || !kept {
			continue
		}
		if err := records.Receipts.Put(tx, f.Value.Acknowledged()); err != nil {
			return err
		}
	}
	return nil
}
