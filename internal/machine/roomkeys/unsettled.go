package roomkeys

import (
	"fmt"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
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

// Settle takes the mark of a device whose Curve25519 key is known from now on, in
// the commit that makes it known. Its room keys stay: where an event is read it
// shows whether it is the device that it said it was. It returns whether there was
// such a mark.
func Settle(tx *txn.Tx, key ratchet.PublicKey) (bool, error) {
	_, marked, err := records.Unsettleds.Get(tx, key)
	switch {
	case machine.IsDamage(err):
	case machine.IsSetAside(err):
		return false, nil
	case err != nil || !marked:
		return false, err
	}
	return true, records.Unsettleds.Delete(tx, key)
}
