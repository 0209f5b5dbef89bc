package records

import (
	"context"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Keys: one private one-time or fallback key, or its tombstone, otk/<public
// key>.
var Keys = txn.Record[ratchet.PublicKey, otk.Key]{
	Kind: "otk", Codec: machine.Encoded[otk.Key]{Read: otk.DecodeKey},
	Name: otk.Key.Public, Path: txn.Spelled[ratchet.PublicKey],
}

func keyKind() Kind {
	return Kind{Records: many(&Keys), Check: checkKeys, Broken: repairKey, Sweep: sweepKeys, Inspect: inspectKeys}
}

// keyShare is what changing a key takes of a commit: it has 128 bytes, and is
// sealed under a key of some 70.
var keyShare = machine.Share{Bytes: 256, Writes: 1, Checks: 1}

// keysByPublic returns all keys, tombstones too.
func keysByPublic(c *Checkup) map[ratchet.PublicKey]otk.Key {
	all := map[ratchet.PublicKey]otk.Key{}
	for k := range readable(c, &Keys) {
		all[k.Public()] = k
	}
	return all
}

// sweepKeys deletes tombstones of one-time keys whose session left no record.
func sweepKeys(ctx context.Context, s *Sweep) error {
	used := func(_ *txn.Tx, k otk.Key) (bool, error) {
		_, at, used := k.Used()
		return used && s.Now.Sub(at) >= session.ReceiptLife, nil
	}
	found, err := machine.Delete(&Keys, keyShare, &s.Damaged, used).Find(ctx, s.Account)
	if err != nil {
		return err
	}
	// After the keys: the session of every key that was found is among these,
	// if it is still there.
	kept, whole, err := sessionIDs(ctx, s.Account)
	if err != nil || !whole {
		return err // any of the keys may be that of a session that cannot be read
	}
	orphaned := func(tx *txn.Tx, k otk.Key) (bool, error) {
		by, _, _ := k.Used()
		old, err := used(tx, k)
		return old && !kept[by], err
	}
	s.Done.OneTimeKeys, err = machine.Delete(&Keys, keyShare, &s.Damaged, orphaned).Named(ctx, s.Account, found)
	return err
}

// sessionIDs returns the ids of all sessions that can be read, and whether
// these are all.
func sessionIDs(ctx context.Context, a *machine.Account) (ids map[ratchet.SessionID]bool, whole bool, err error) {
	ids, err = txn.View(ctx, a.DB, func(tx *txn.Tx) (map[ratchet.SessionID]bool, error) {
		ids := map[ratchet.SessionID]bool{}
		whole = true
		for s, err := range Sessions.Scan(tx) {
			if machine.IsDamage(err) {
				whole = false
				continue
			}
			if err != nil {
				return nil, err
			}
			ids[s.ID()] = true
		}
		return ids, nil
	})
	return ids, whole, err
}

func inspectKeys(tx *txn.Tx, _ *machine.Account, out *Inspection, damaged *machine.Damages) error {
	for k, err := range Keys.Scan(tx) {
		if damaged.Note(err) {
			continue
		}
		if err != nil {
			return err
		}
		if _, _, used := k.Used(); used {
			out.Keys.Used++
		}
	}
	return nil
}
