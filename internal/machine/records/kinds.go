package records

import (
	"context"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/txn"
)

// Kind is a kind of record with its rules. A rule that is nil has nothing to
// do. Rules may look at records of other kinds.
type Kind struct {
	// Records are the records themselves. Packages upkeep and lineage check
	// their names, and count them, without a rule.
	Records *Stored
	// Check complains of what is broken, in a view of everything.
	Check func(c *Checkup)
	// Sweep erases and deletes what is no longer needed, in commits of its own.
	Sweep func(ctx context.Context, s *Sweep) error
	// Inspect adds to what may be shown, in a view of everything, and notes what
	// is damaged.
	Inspect func(tx *txn.Tx, a *machine.Account, out *Inspection, damaged *machine.Damages) error
	// Recover gives up what the lost time may have used, in commits of its own,
	// each of which sees to it that the recovery still goes on. It may be
	// interrupted and called again.
	Recover func(ctx context.Context, r *Recovery) error
	// FinishRecovery does so in the commit that ends the recovery, which may run
	// more than once.
	FinishRecovery func(tx *txn.Tx, a *machine.Account, done *Recovered) error
}

// Stored is what can be done with the records of any kind.
type Stored struct {
	Kind string
	// Count counts the records, those that cannot be read among them.
	Count func(tx *txn.Tx) (int, error)
	// Check complains of records that are damaged, or are not, or not only,
	// stored under their own name. The error is of one that is not damaged and
	// cannot be read all the same: a newer program's.
	Check func(tx *txn.Tx, complain func(format string, args ...any)) error
}

// many is for a kind of many records.
func many[N, T any](r *txn.Record[N, T]) *Stored {
	return &Stored{
		Kind:  r.Kind,
		Count: func(tx *txn.Tx) (int, error) { return count(tx, r) },
		Check: func(tx *txn.Tx, complain func(string, ...any)) error { return checkNames(tx, r, complain) },
	}
}

func count[N, T any](tx *txn.Tx, r *txn.Record[N, T]) (n int, err error) {
	for _, err := range r.Scan(tx) {
		if err != nil && !machine.IsDamage(err) {
			return 0, err
		}
		n++
	}
	return n, nil
}

func checkNames[N, T any](tx *txn.Tx, r *txn.Record[N, T], complain func(string, ...any)) error {
	all, own := 0, map[txn.Path]bool{}
	for v, err := range r.Scan(tx) {
		if machine.IsDamage(err) {
			complain("%s record: %v", r.Kind, err)
			continue
		}
		if err != nil {
			return err
		}
		all++
		name := r.Name(v)
		if _, found, err := r.Get(tx, name); err != nil || !found {
			complain("%s %s is stored under another name", r.Kind, r.Path(name))
		}
		own[r.Path(name)] = true
	}
	if all != len(own) {
		complain("%d %s records are copies of others under another name", all-len(own), r.Kind)
	}
	return nil
}

// one is for a kind of one record.
func one[T any](s *txn.Single[T]) *Stored {
	return &Stored{
		Kind: s.Kind,
		Count: func(tx *txn.Tx) (int, error) {
			_, ok, err := s.Get(tx)
			switch {
			case err != nil && !machine.IsDamage(err):
				return 0, err
			case !ok && err == nil:
				return 0, nil
			}
			return 1, nil
		},
		Check: func(tx *txn.Tx, complain func(string, ...any)) error {
			_, _, err := s.Get(tx)
			if machine.IsDamage(err) {
				complain("%s record: %v", s.Kind, err)
				return nil
			}
			return err
		},
	}
}

// Kinds returns all kinds of an account's records in the order in which their
// rules are called. Of two kinds the one whose records name the other's comes
// first: sweeping then never leaves a name of what is gone, wherever it is
// interrupted. Marks are the exception: they go when what they name is gone.
func Kinds() []Kind {
	return []Kind{
		receiptKind,
		peerKind,
		sessionKind,
		poolKind,
		keyKind,
		markKind,
		accountKind,
	}
}
