package records

import (
	"context"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Receipts: a message that was decrypted, receipt/<receipt id>.
var Receipts = txn.Record[session.ReceiptID, session.Receipt]{
	Kind: "receipt", Codec: machine.Encoded(session.DecodeReceipt),
	Name: session.Receipt.ID, Path: txn.Spelled[session.ReceiptID],
}

var receiptKind = Kind{Records: many(&Receipts), Check: checkReceipts, Sweep: sweepReceipts, Inspect: inspectReceipts}

// ReceiptCounts counts receipts.
type ReceiptCounts struct {
	Open         int // keep their message's key
	Acknowledged int
}

// checkReceipts: tombstones of sessions outlive the message keys in receipts.
func checkReceipts(c *Checkup) {
	sessions := sessionsByID(c)
	for r := range readable(c, &Receipts) {
		_, kept := r.Key()
		if _, exists := sessions[r.Session()]; kept && !exists {
			c.Complain("receipt %s is of session %s, which is missing", r.ID(), r.Session())
		}
	}
}

// sweepReceipts first erases the message keys of those that have expired: a
// receipt without one still tells that its message was processed.
func sweepReceipts(ctx context.Context, s *Sweep) error {
	expired := func(_ *txn.Tx, r session.Receipt) (bool, error) {
		_, kept := r.Key()
		return kept && r.Expired(s.Now), nil
	}
	found, err := find(ctx, s.Account, &Receipts, expired)
	if err != nil {
		return err
	}
	s.Done.Erased, err = change(ctx, s.Account, &Receipts, found, expired, func(tx *txn.Tx, r session.Receipt) error {
		return Receipts.Put(tx, r.Acknowledged())
	})
	if err != nil {
		return err
	}
	old := func(_ *txn.Tx, r session.Receipt) (bool, error) { return r.Forgettable(s.Now), nil }
	s.Done.Receipts, err = remove(ctx, s.Account, &Receipts, old)
	return err
}

func inspectReceipts(tx *txn.Tx, _ *machine.Account, out *Inspection) error {
	for r, err := range Receipts.Scan(tx) {
		if err != nil {
			return err
		}
		if _, kept := r.Key(); kept {
			out.Receipts.Open++
		} else {
			out.Receipts.Acknowledged++
		}
	}
	return nil
}
