package upkeep

import (
	"cmp"
	"context"
	"slices"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/txn"
)

// Check verifies every invariant of an account over one snapshot and returns
// what is broken, sorted. The error is of the store, or of a record that a newer
// program wrote: what that means is not known here.
//
// All records are read before the first rule looks at them, here and in
// Inspect: what a rule asks for is in memory.
func Check(ctx context.Context, a *machine.Account, kinds []records.Kind) ([]records.Finding, error) {
	return txn.View(ctx, a.DB, func(tx *txn.Tx) ([]records.Finding, error) {
		v, err := a.Read(tx)
		if err != nil && !machine.IsDamage(err) {
			return nil, err
		}
		c, err := records.NewCheckup(tx, a, kinds)
		if err != nil {
			return nil, err
		}
		for _, k := range kinds {
			if k.Check != nil {
				k.Check(c)
			}
		}
		found := c.Found
		if _, retired := v.Retired(); retired {
			for i := range found {
				found[i].Fix = nil // it only inspects
			}
		}
		slices.SortFunc(found, func(a, b records.Finding) int { return cmp.Compare(a.Broken, b.Broken) })
		return found, nil
	})
}

// passes bounds how often what repair leaves is checked again. What is repaired
// may show what was behind it: a key is not in the pool, say, because the pool is
// made again from those that could be read.
const passes = 10

// Repair does what can be done about what is broken, until nothing is left of
// that, and returns all that it found.
func Repair(ctx context.Context, a *machine.Account, check func(context.Context) ([]records.Finding, error)) (all []records.Finding, err error) {
	for range passes {
		found, err := check(ctx)
		if err != nil {
			return all, err
		}
		fixed := false
		for _, f := range found {
			all = add(all, f)
			if f.Fix == nil {
				continue
			}
			fixed = true
			if err := f.Fix.Do(ctx, a); err != nil {
				return all, err
			}
		}
		if !fixed {
			break
		}
	}
	return all, records.UnreadDue(ctx, a)
}

func add(all []records.Finding, f records.Finding) []records.Finding {
	if slices.ContainsFunc(all, func(known records.Finding) bool { return known.Broken == f.Broken }) {
		return all
	}
	return append(all, f)
}
