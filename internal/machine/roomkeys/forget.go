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

// Forgetting says which sessions are to be forgotten: those of which all that is
// given here holds. One of Room, Device and Session is given at least.
type Forgetting struct {
	Room    matrix.RoomID
	Device  ratchet.PublicKey // that made the sessions, as some copy says
	Session group.SessionID
	// Below is the index from which on messages can still be read; 0: none can.
	Below uint64
}

// ErrForgetAll: see package pawl.
var ErrForgetAll = fmt.Errorf("pawl: room keys to forget: name a room, a device or a session")

// Forget gives up the keys of sessions, in as many commits as the engine needs, and
// returns of how many. What is damaged is passed over, and the error says so when all
// others are done.
func (k *Keys) Forget(ctx context.Context, f Forgetting) (int, error) {
	if f.Room == "" && f.Device == (ratchet.PublicKey{}) && f.Session == (group.SessionID{}) {
		return 0, ErrForgetAll
	}
	if f.Below == 0 || f.Below > group.Whole {
		f.Below = group.Whole
	}
	var damaged machine.Damages
	change := machine.Change[group.SessionID, group.Inbound]{
		Records: &records.GroupIns.Record, Each: records.GroupInShare, Damaged: &damaged,
		If: func(_ *txn.Tx, in group.Inbound) (bool, error) { return f.concerns(in), nil },
		Do: func(tx *txn.Tx, in group.Inbound) error { return records.GroupIns.Put(tx, in.Forget(f.Below)) },
	}
	defer k.hints.Purge()
	n, err := 0, error(nil)
	if f.Session != (group.SessionID{}) {
		n, err = change.Named(ctx, k.account, []group.SessionID{f.Session})
	} else {
		n, err = change.All(ctx, k.account)
	}
	if err != nil {
		return n, err
	}
	return n, damaged.Err()
}

// concerns reports whether a session is to be forgotten and is not yet.
func (f Forgetting) concerns(in group.Inbound) bool {
	switch {
	case in.Floor() >= f.Below:
		return false
	case f.Room != "" && in.Room() != f.Room:
		return false
	case f.Session != (group.SessionID{}) && in.ID() != f.Session:
		return false
	}
	made := func(c group.Copy) bool { return c.Sender == f.Device }
	return f.Device == (ratchet.PublicKey{}) || slices.ContainsFunc(in.Copies(), made)
}
