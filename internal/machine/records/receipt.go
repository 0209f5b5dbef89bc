package records

import (
	"context"
	"fmt"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Receipts: a message that was decrypted, receipt/<receipt id>.
var Receipts = txn.Record[session.ReceiptID, session.Receipt]{
	Kind: "receipt", Codec: machine.Encoded[session.Receipt]{Read: session.DecodeReceipt},
	Name: session.Receipt.ID, Path: txn.Spelled[session.ReceiptID],
}

func receiptKind() Kind {
	return Kind{Records: many(&Receipts), Check: checkReceipts, Sweep: sweepReceipts, Inspect: inspectReceipts}
}

// receiptShare is what changing a receipt takes of a commit: it has 128 bytes,
// and is sealed under a key of some 70.
var receiptShare = machine.Share{Bytes: 256, Writes: 1, Checks: 1}

// ReceiptCounts counts receipts.
type ReceiptCounts struct {
	Open         int // keep their message's key
	Acknowledged int
}

// checkReceipts: in format 1 tombstones of sessions outlive the message keys in
// receipts. In format 2 a session that was pruned may leave nothing.
func checkReceipts(c *Checkup) {
	if a, err := c.Account.Read(c.Tx); err == nil && a.Raised() {
		return
	}
	sessions := c.sessionsByID()
	for r := range readable(c, &Receipts) {
		_, kept := r.Key()
		if _, exists := sessions[r.Session()]; kept && !exists && !c.mayBeGone(r.Session()) {
			says := fmt.Sprintf("receipt %s is of session %s, which is missing", r.ID(), r.Session())
			c.Find(Receipts.Kind, missFix(r.Session(), says), "%s", says)
		}
	}
}

// sweepReceipts first erases the message keys of those that have expired: a
// receipt without one still tells that its message was processed.
func sweepReceipts(ctx context.Context, s *Sweep) (err error) {
	expired := func(_ *txn.Tx, r session.Receipt) (bool, error) {
		_, kept := r.Key()
		return kept && r.Expired(s.Now), nil
	}
	if s.Done.Erased, err = acknowledge(expired, &s.Damaged).All(ctx, s.Account); err != nil {
		return err
	}
	old := func(_ *txn.Tx, r session.Receipt) (bool, error) { return r.Forgettable(s.Now), nil }
	if s.Done.Receipts, err = machine.Delete(&Receipts, receiptShare, &s.Damaged, old).All(ctx, s.Account); err != nil {
		return err
	}
	return forgetNames1(ctx, s.Account)
}

// forgetNames1 notes in the account's record that no receipt has a name of format
// 1 any more, so that nobody looks for one: in an account of format 2 none comes.
// One that cannot be read may have such a name.
func forgetNames1(ctx context.Context, a *machine.Account) error {
	left, err := txn.View(ctx, a.DB, func(tx *txn.Tx) (bool, error) {
		if v, err := a.Active(tx); err != nil || !v.Lineage().OldReceipts {
			return true, err
		}
		for r, err := range Receipts.Scan(tx) {
			switch {
			case machine.IsDamage(err), machine.IsSetAside(err), err == nil && r.Named1():
				return true, nil
			case err != nil:
				return true, err
			}
		}
		return false, nil
	})
	if left || err != nil {
		return err
	}
	return a.Do(ctx, func(tx *txn.Tx) error {
		v, err := a.Active(tx)
		l := v.Lineage()
		if err != nil || !l.OldReceipts {
			return err
		}
		l.OldReceipts = false
		return machine.Accounts.Put(tx, v.Raise(l))
	})
}

// AcknowledgeReceipts erases the message keys that receipts keep. Those that
// are gone, or keep none, are passed over; so are damaged ones, of which the
// error tells when all others are done. It returns how many of them there are, with
// what they keep or without, also when a commit fails.
func AcknowledgeReceipts(ctx context.Context, a *machine.Account, ids []session.ReceiptID) (known int, err error) {
	keeps := func(_ *txn.Tx, r session.Receipt) (bool, error) {
		_, kept := r.Key()
		return kept, nil
	}
	var damaged machine.Damages
	change := acknowledge(keeps, &damaged)
	change.There = &known
	if _, err := change.Named(ctx, a, ids); err != nil {
		return known, err
	}
	return known, damaged.Err()
}

func acknowledge(concerned func(*txn.Tx, session.Receipt) (bool, error), d *machine.Damages) machine.Change[session.ReceiptID, session.Receipt] {
	return machine.Change[session.ReceiptID, session.Receipt]{
		Records: &Receipts, Each: receiptShare, If: concerned, Damaged: d,
		Do: func(tx *txn.Tx, r session.Receipt) error { return Receipts.Put(tx, r.Acknowledged()) },
	}
}

func inspectReceipts(tx *txn.Tx, _ *machine.Account, out *Inspection, damaged *machine.Damages) error {
	for r, err := range Receipts.Scan(tx) {
		if damaged.Note(err) {
			continue
		}
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
