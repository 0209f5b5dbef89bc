package roomkeys

import (
	"context"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// mark returns the mark of a device that is not known yet with one session more, nil
// if it has it. It fails with ErrOtherUser for a key that came in another user's name
// before, and with ErrUnsettled. A mark that cannot be read is begun anew.
func (k *Keys) mark(tx *txn.Tx, from From, id group.SessionID) (*records.Unsettled, error) {
	stored, _, err := records.Unsettleds.Get(tx, from.Curve25519)
	switch {
	case machine.IsDamage(err):
		k.account.Store.Tell(tx, []error{err})
		stored = records.Unsettled{}
	case machine.IsSetAside(err):
		stored = records.Unsettled{}
	case err != nil:
		return nil, err
	case len(stored.Sessions) > 0 && stored.User != from.User:
		return nil, fmt.Errorf("%w: %s belongs to %s, not to %s", ErrOtherUser, from.Curve25519, stored.User, from.User)
	}
	next, ok := stored.Add(id)
	if !ok {
		return nil, fmt.Errorf("%w: %s has %d", ErrUnsettled, from.Curve25519, len(stored.Sessions))
	}
	if len(next.Sessions) == len(stored.Sessions) && stored.Claimed == from.Ed25519 {
		return nil, nil
	}
	next.Key, next.User, next.Claimed = from.Curve25519, from.User, from.Ed25519
	return &next, nil
}

// Settle takes the marks of these users' devices: an answer has shown them
// (devices.Settle). Their room keys stay: where an event is read it shows whether it
// is the device that it said it was.
func (k *Keys) Settle(ctx context.Context, users []matrix.UserID) error {
	for _, user := range users {
		marked, err := txn.View(ctx, k.account.DB, func(tx *txn.Tx) ([]ratchet.PublicKey, error) { return markedOf(tx, user) })
		if err != nil {
			return err
		}
		for some := range slices.Chunk(marked, k.account.Store.PerCommit(records.UnsettledShare)) {
			if err := k.account.Do(ctx, func(tx *txn.Tx) error { return k.settle(tx, some) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// markedOf returns the keys of a user's devices that have a mark.
func markedOf(tx *txn.Tx, user matrix.UserID) (marked []ratchet.PublicKey, err error) {
	all, _, err := records.DevicesOf(tx, user)
	if err != nil {
		return nil, err
	}
	keys := make([]ratchet.PublicKey, len(all))
	for i, d := range all {
		keys[i] = d.Curve25519
	}
	found, err := records.Unsettleds.GetAll(tx, keys...)
	if err != nil {
		return nil, err
	}
	for i, f := range found {
		if f.OK || machine.IsDamage(f.Err) {
			marked = append(marked, keys[i])
		}
	}
	return marked, nil
}

func (k *Keys) settle(tx *txn.Tx, keys []ratchet.PublicKey) error {
	if _, err := k.account.Active(tx); err != nil {
		return err
	}
	for _, key := range keys {
		if err := records.Unsettleds.Delete(tx, key); err != nil {
			return err
		}
	}
	return nil
}
