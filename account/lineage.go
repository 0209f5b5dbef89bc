package account

import (
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/otk"
)

// Lineage is what an account of format 2 knows of the stores that it lived in,
// and of its own past.
type Lineage struct {
	// Base is what the versions of this store count from in [record.Order]: how
	// far those stores had come that the account was copied from.
	Base uint64
	// OldReceipts says that there may be receipts with the names of format 1.
	OldReceipts bool
	// KeysFrom is the id of the first key after the last recovery, 0 if there was
	// none: keys with lower ids are from before it.
	KeysFrom otk.ID
}

// MaxBase bounds [Lineage.Base] so that an order has 64 bits.
const MaxBase = 1<<53 - 1

// Raised reports that the account is of format 2.
func (a Account) Raised() bool { return a.raised }

// Lineage returns what an account of format 2 knows of its past, and the zero
// Lineage for one of format 1.
func (a Account) Lineage() Lineage { return a.lineage }

// Raise returns the account in format 2, with what it knows of its past from now
// on. From then on all its records are written in format 2.
func (a Account) Raise(l Lineage) Account {
	a.raised, a.lineage = true, l
	return a
}

func (l *Lineage) read(r *record.Reader) {
	l.Base = r.Uint(MaxBase)
	l.OldReceipts = r.Bool()
	l.KeysFrom = otk.ID(r.Uint(1<<32 - 1))
}
