package txn_test

import (
	"testing"

	"github.com/pawlkv/pawl/txn"
)

// TestProbe: each step is measured when it happens, and not before.
func TestProbe(t *testing.T) {
	probe := &txn.Probe{}
	db := open(newStore(t), txn.NoCache, txn.WithProbe(probe))
	steps := []txn.Step{txn.Opening, txn.Decoding, txn.Computing, txn.Encoding, txn.Sealing}
	took := func() (zero, more []txn.Step) {
		for _, s := range steps {
			if probe.Took(s) == 0 {
				zero = append(zero, s)
			} else {
				more = append(more, s)
			}
		}
		return zero, more
	}
	pay(t, db, "pot", 1) // reads nothing that is there, computes nothing that is measured
	if zero, more := took(); len(zero) != 3 || len(more) != 2 || more[0] != txn.Encoding || more[1] != txn.Sealing {
		t.Errorf("after a write steps %v took nothing and %v something", zero, more)
	}
	balance(t, db, "pot")
	_, err := txn.View(ctx, db, func(tx *txn.Tx) (int, error) {
		began := tx.Probe().Begin()
		for range 1000 {
			_ = tx.Attempt()
		}
		tx.Probe().End(txn.Computing, began)
		return 0, nil
	})
	if zero, _ := took(); err != nil || len(zero) > 0 {
		t.Errorf("after all of it steps %v took nothing, %v", zero, err)
	}
}

// TestNoProbe: without a probe fn may measure all the same.
func TestNoProbe(t *testing.T) {
	db := open(newStore(t), txn.NoCache)
	_, err := txn.View(ctx, db, func(tx *txn.Tx) (int, error) {
		began := tx.Probe().Begin()
		tx.Probe().End(txn.Computing, began)
		if !began.IsZero() {
			t.Errorf("a probe that is not there looked at the clock: %v", began)
		}
		return 0, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
