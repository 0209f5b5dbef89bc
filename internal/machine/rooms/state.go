package rooms

import (
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// call is one call of Share.
type call struct {
	*Rooms
	room     matrix.RoomID
	members  []matrix.UserID
	settings Settings
}

// state is what a transaction finds of a room.
type state struct {
	v          account.Account
	room       records.Room
	known      bool
	everywhere uint64
	uncounted  bool // how often everywhere is not known
	out        group.Outbound
	has        bool  // there is a session that can be read
	lost       error // there was one, which is damaged
}

// read reads what every step depends on.
func (c *call) read(tx *txn.Tx) (s state, err error) {
	if err := tx.Prefetch(c.account.Ref(), records.Rooms.Ref(c.room), records.RoomChanges.Ref(), records.Outbound.Ref(c.room)); err != nil {
		return s, err
	}
	v, err := c.account.SendingRaised(tx)
	if err != nil {
		return s, err
	}
	if s, err = readState(tx, v, c.room); err == nil && s.room.Foreign {
		err = roomkeys.ErrAlgorithm
	}
	return s, err
}

func readState(tx *txn.Tx, v account.Account, room matrix.RoomID) (s state, err error) {
	s.v = v
	if s.room, s.known, err = records.ReadRoom(tx, room); err != nil {
		return s, err
	}
	var uncounted error
	if s.everywhere, uncounted, err = records.Everywhere(tx); err != nil {
		return s, err
	}
	s.uncounted = uncounted != nil
	s.out, s.has, err = records.Outbound.Get(tx, room)
	switch {
	case machine.IsDamage(err):
		s.lost, err = err, nil
	case machine.IsSetAside(err):
		err = nil
	}
	return s, err
}

// whole reports whether the session was shared with everybody, and nothing has
// changed since.
func (s state) whole() bool { return s.known && !s.uncounted && s.room.Whole(s.everywhere) }

// due returns why the session is to be replaced, if it is: where nothing is known of
// the room any more nobody knows what it was shared under.
func (s state) due(now time.Time) group.Why {
	if !s.known {
		return group.SettingsChanged
	}
	return s.out.Due(s.room.Settings(), now, s.v.Lineage().KeysFrom)
}

// current reads the state, and fails with errChanged if the plan is of another.
func (c *call) current(tx *txn.Tx, p *plan) (state, error) {
	s, err := c.read(tx)
	if err != nil {
		return s, err
	}
	if !s.known || !s.has || s.uncounted || s.room.Changed != p.changed || s.everywhere != p.everywhere || s.out.ID() != p.session ||
		s.due(c.account.Store.Now()) != group.Kept {
		return s, errChanged
	}
	return s, nil
}
