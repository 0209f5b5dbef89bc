package records

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/txn"
)

// Checkup is one check of an account. It collects what is broken, a line each.
type Checkup struct {
	Tx      *txn.Tx
	Account *machine.Account
	Broken  []string
}

// Complain notes that something is broken.
func (c *Checkup) Complain(format string, args ...any) {
	c.Broken = append(c.Broken, fmt.Sprintf(format, args...))
}

// readable yields the records that can be read: of others the check complains
// anyway.
func readable[N, T any](c *Checkup, r *txn.Record[N, T]) iter.Seq[T] {
	return func(yield func(T) bool) {
		for v, err := range r.Scan(c.Tx) {
			if err == nil && !yield(v) {
				return
			}
		}
	}
}

// Sweep is one sweep of an account, at a time that need not be now.
type Sweep struct {
	Account *machine.Account
	Now     time.Time
	Done    Swept
}

// Swept counts what a sweep did.
type Swept struct {
	Erased      int // receipts that expired: their messages' keys
	Receipts    int // deleted
	Sessions    int // tombstones of pruned sessions
	OneTimeKeys int // tombstones of used keys
}

// Recovery is the recovery of an account.
type Recovery struct {
	Account *machine.Account
	Done    Recovered
}

// Recovered counts what a recovery gave up.
type Recovered struct {
	Sessions    int // only receive from now on
	OneTimeKeys int // will not be offered any more
}

// concern tells whether something is to be done to a record.
type concern[T any] func(*txn.Tx, T) (bool, error)

// find names the records that are of concern, in one view.
func find[N, T any](ctx context.Context, a *machine.Account, r *txn.Record[N, T], concerned concern[T]) ([]N, error) {
	return txn.View(ctx, a.DB, func(tx *txn.Tx) ([]N, error) {
		var names []N
		for v, err := range r.Scan(tx) {
			if err != nil {
				return nil, err
			}
			ok, err := concerned(tx, v)
			if err != nil {
				return nil, err
			}
			if ok {
				names = append(names, r.Name(v))
			}
		}
		return names, nil
	})
}

// changeChunk bounds the writes of one commit.
const changeChunk = 1000

// change does something to those of the named records that are still of
// concern, in commits of a bounded size, and returns how many they were.
func change[N, T any](ctx context.Context, a *machine.Account, r *txn.Record[N, T], names []N,
	concerned concern[T], do func(*txn.Tx, T) error) (int, error) {
	total := 0
	for chunk := range slices.Chunk(names, changeChunk) {
		n, err := txn.Do(ctx, a.DB, func(tx *txn.Tx) (int, error) {
			if _, err := a.Active(tx); err != nil {
				return 0, err
			}
			return changeAll(tx, r, chunk, concerned, do)
		})
		if err != nil {
			return total, err
		}
		total += n
	}
	return total, nil
}

func changeAll[N, T any](tx *txn.Tx, r *txn.Record[N, T], names []N, concerned concern[T], do func(*txn.Tx, T) error) (int, error) {
	found, err := r.GetAll(tx, names...)
	if err != nil {
		return 0, err
	}
	n := 0
	for _, f := range found {
		if !f.OK {
			continue
		}
		ok, err := concerned(tx, f.Value)
		if err != nil {
			return 0, err
		}
		if !ok {
			continue
		}
		if err := do(tx, f.Value); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// remove deletes the records of a kind that are of concern.
func remove[N, T any](ctx context.Context, a *machine.Account, r *txn.Record[N, T], concerned concern[T]) (int, error) {
	found, err := find(ctx, a, r, concerned)
	if err != nil {
		return 0, err
	}
	return change(ctx, a, r, found, concerned, deleteFrom(r))
}

func deleteFrom[N, T any](r *txn.Record[N, T]) func(*txn.Tx, T) error {
	return func(tx *txn.Tx, v T) error { return r.Delete(tx, r.Name(v)) }
}

// Inspection is what may be shown of an account: public parts and counts.
type Inspection struct {
	Identity machine.Identity
	Retired  string // where the account moved, or ""
	Recovery string // why the account must be recovered, or ""
	Keys     KeyCounts
	Peers    []PeerInfo // in the order of their identity keys
	Receipts ReceiptCounts
	Records  map[string]int // how many there are of each kind
}
