// Package upkeep checks, sweeps and inspects an account: loops over the kinds
// of its records, which have the rules.
package upkeep

import (
	"context"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/txn"
)

// Sweep erases and deletes what is no longer needed at a time, in a bounded
// number of commits, each of which looks again at what it deletes. Of what is
// damaged it leaves alone whatever depends on it.
func Sweep(ctx context.Context, a *machine.Account, kinds []records.Kind, now time.Time) (records.Swept, error) {
	s := records.Sweep{Account: a, Now: now}
	v, err := txn.View(ctx, a.DB, a.Active)
	if err != nil {
		return s.Done, err
	}
	if !v.Raised() {
		records.Raise(ctx, a)
	}
	for _, k := range kinds {
		if k.Sweep == nil {
			continue
		}
		err := k.Sweep(ctx, &s)
		damaged := err != nil && s.Damaged.Note(err)
		s.Done.Damaged = s.Damaged.Len()
		if err != nil && !damaged {
			return s.Done, err
		}
	}
	return s.Done, nil
}

// Inspect returns the public parts of an account, from one snapshot, and says
// what of it cannot be read.
func Inspect(ctx context.Context, a *machine.Account, kinds []records.Kind) (records.Inspection, error) {
	return txn.View(ctx, a.DB, func(tx *txn.Tx) (records.Inspection, error) {
		out := records.Inspection{Records: map[string]int{}}
		if _, err := a.Read(tx); err != nil && !machine.IsDamage(err) {
			return out, err
		}
		var damaged machine.Damages
		if err := countAll(tx, kinds, &out, &damaged); err != nil {
			return records.Inspection{}, err
		}
		for _, k := range kinds {
			if k.Inspect == nil {
				continue
			}
			if err := k.Inspect(tx, a, &out, &damaged); err != nil {
				return records.Inspection{}, err
			}
		}
		out.Damaged = damaged.All()
		return out, nil
	})
}

func countAll(tx *txn.Tx, kinds []records.Kind, out *records.Inspection, damaged *machine.Damages) error {
	for _, k := range kinds {
		if k.Records == nil {
			continue
		}
		n, err := k.Records.Count(tx, damaged)
		if err != nil {
			return err
		}
		out.Records[k.Records.Kind] = n
	}
	return nil
}
