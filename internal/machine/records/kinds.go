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
	// Inspect adds to what may be shown, in a view of everything.
	Inspect func(tx *txn.Tx, a *machine.Account, out *Inspection) error
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
	Kind  string
	Count func(tx *txn.Tx) (int, error)
	// Check complains of records that cannot be read, or are not, or not only,
	// stored under their own name.
	Check func(tx *txn.Tx, complain func(format string, args ...any))
}

// many is for a kind of many records.
func many[N, T any](r *txn.Record[N, T]) *Stored {
	return &Stored{
		Kind:  r.Kind,
		Count: func(tx *txn.Tx) (int, error) { return count(tx, r) },
		Check: func(tx *txn.Tx, complain func(string, ...any)) { checkNames(tx, r, complain) },
	}
}

func count[N, T any](tx *txn.Tx, r *txn.Record[N, T]) (n int, err error) {
	for _, err := range r.Scan(tx) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

func checkNames[N, T any](tx *txn.Tx, r *txn.Record[N, T], complain func(string, ...any)) {
	all, own := 0, map[txn.Path]bool{}
	for v, err := range r.Scan(tx) {
		if err != nil {
			complain("%s record: %v", r.Kind, err)
			continue
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
}

// one is for a kind of one record.
func one[T any](s *txn.Single[T]) *Stored {
	return &Stored{
		Kind: s.Kind,
		Count: func(tx *txn.Tx) (int, error) {
			_, ok, err := s.Get(tx)
			if !ok || err != nil {
				return 0, err
			}
			return 1, nil
		},
		Check: func(tx *txn.Tx, complain func(string, ...any)) {
			if _, _, err := s.Get(tx); err != nil {
				complain("%s record: %v", s.Kind, err)
			}
		},
	}
}

// Kinds returns all kinds of an account's records in the order in which their
// rules are called. Of two kinds the one whose records name the other's comes
// first: sweeping then never leaves a name of what is gone, wherever it is
// interrupted.
func Kinds() []Kind {
	return []Kind{
		receiptKind,
		peerKind,
		sessionKind,
		markKind,
		poolKind,
		keyKind,
		accountKind,
	}
}
