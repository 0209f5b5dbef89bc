package records

import (
	"context"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Marks: what is left of a session that was pruned or swept, mark/<session id>.
var Marks = txn.Record[ratchet.SessionID, session.Mark]{
	Kind: "mark", Codec: machine.Encoded[session.Mark]{Read: session.DecodeMark},
	Name: session.Mark.ID, Path: txn.Spelled[ratchet.SessionID],
}

func markKind() Kind { return Kind{Records: many(&Marks), Sweep: sweepMarks} }

// markShare is what changing a mark takes of a commit.
var markShare = machine.Share{Bytes: 256, Writes: 1, Checks: 1}

// sweepMarks deletes the marks of sessions whose keys are gone. A key that is
// gone never comes back, so that a view tells enough; one that is lost or
// damaged is not gone.
func sweepMarks(ctx context.Context, s *Sweep) error {
	ids, whole, err := keyIDs(ctx, s.Account)
	if err != nil || !whole {
		return err
	}
	gone := func(_ *txn.Tx, m session.Mark) (bool, error) { return !ids[otk.ID(m.Key)], nil }
	n, err := machine.Delete(&Marks, markShare, &s.Damaged, gone).All(ctx, s.Account)
	s.Done.Sessions += n
	return err
}

// keyIDs returns the ids of all keys that there are, tombstones too, or that the
// pool names, and whether these are all.
func keyIDs(ctx context.Context, a *machine.Account) (ids map[otk.ID]bool, whole bool, err error) {
	ids, err = txn.View(ctx, a.DB, func(tx *txn.Tx) (map[otk.ID]bool, error) {
		ids := map[otk.ID]bool{}
		whole = true
		for k, err := range Keys.Scan(tx) {
			switch {
			case machine.IsDamage(err):
				whole = false
			case err != nil:
				return nil, err
			default:
				ids[k.ID()] = true
			}
		}
		pool, _, err := Pool.Get(tx)
		switch {
		case machine.IsDamage(err):
			whole = false
		case err != nil:
			return nil, err
		}
		for e := range pool.Entries() {
			ids[e.ID] = true
		}
		for f := range pool.AllFallbacks() {
			ids[f.ID] = true
		}
		return ids, nil
	})
	return ids, whole, err
}

// marked returns the ids of the sessions that left a mark.
func marked(c *Checkup) map[ratchet.SessionID]bool {
	all := map[ratchet.SessionID]bool{}
	for m := range readable(c, &Marks) {
		all[m.Session] = true
	}
	return all
}
