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
	// Check finds what is broken, in a view of everything, and says how to repair
	// it.
	Check func(c *Checkup)
	// Broken says how to repair a record that cannot be read, or that is of
	// another name. Without this rule it is set aside.
	Broken func(c *Checkup, u unread) *Fix
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
	// Count counts the records, those that cannot be read among them, and notes
	// these.
	Count func(tx *txn.Tx, damaged *machine.Damages) (int, error)
	// look notes what is stored of the kind.
	look func(c *Checkup, k *Kind) error
}

// many is for a kind of many records.
func many[N, T any](r *txn.Record[N, T]) *Stored {
	return &Stored{
		Kind:  r.Kind,
		Count: func(tx *txn.Tx, damaged *machine.Damages) (int, error) { return count(tx, r, damaged) },
		look: func(c *Checkup, k *Kind) error {
			for e, err := range r.Stored(c.Tx) {
				if err != nil {
					return err
				}
				own := ""
				if e.Err == nil {
					if own, err = r.Key(c.Tx, r.Name(e.Value)); err != nil {
						return err
					}
				}
				if err := c.see(k, e.Key, own, e.Version, e.Err); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func count[N, T any](tx *txn.Tx, r *txn.Record[N, T], damaged *machine.Damages) (n int, err error) {
	for _, err := range r.Scan(tx) {
		if err != nil && !damaged.Note(err) {
			return 0, err
		}
		n++
	}
	return n, nil
}

// one is for a kind of one record.
func one[T any](s *txn.Single[T]) *Stored {
	return &Stored{
		Kind: s.Kind,
		Count: func(tx *txn.Tx, damaged *machine.Damages) (int, error) {
			_, ok, err := s.Get(tx)
			switch {
			case machine.IsSetAside(err), err == nil && !ok:
				return 0, nil
			case err != nil && !damaged.Note(err):
				return 0, err
			}
			return 1, nil
		},
		look: func(c *Checkup, k *Kind) error {
			key, err := s.Key(c.Tx)
			if err != nil {
				return err
			}
			_, ok, err := s.Get(c.Tx)
			if !ok && err == nil {
				return nil
			}
			version, seeErr := s.Version(c.Tx)
			if seeErr != nil {
				return seeErr
			}
			return c.see(k, key, key, version, err)
		},
	}
}

// Kinds returns all kinds of an account's records in the order in which their
// rules are called. Of two kinds the one whose records name the other's comes
// first: sweeping then never leaves a name of what is gone, wherever it is
// interrupted. Marks are the exception: they go when what they name is gone. Each is made
// by a function: what stands in variables every program would link, with all its rules.
func Kinds() []Kind {
	return []Kind{
		sweepMarkKind(),
		receiptKind(),
		peerKind(),
		sessionKind(),
		uploadsKind(),
		poolKind(),
		keyKind(),
		outdatedKind(),
		userKind(),
		trackingKind(),
		ownSignatureKind(),
		identityKind(),
		deviceKind(),
		ownerKind(),
		markKind(),
		unsettledKind(),
		replayKind(),
		groupInKind(),
		withholderKind(),
		withheldKind(),
		noOlmKind(),
		wedgeKind(),
		unheardKind(),
		sharedKind(),
		groupOldKind(),
		groupOutKind(),
		memberKind(),
		roomKind(),
		roomChangesKind(),
		toldKind(),
		senderKind(),
		refusedListKind(),
		refusedKind(),
		unreadListKind(),
		unreadKind(),
		syncKind(),
		keyRequestKind(),
		keyAnswerKind(),
		keyNoticeKind(),
		reachKind(),
		requestKind(),
		requestBodyKind(),
		asideKind(),
		importKind(),
		extraKind(),
		accountKind(),
	}
}
