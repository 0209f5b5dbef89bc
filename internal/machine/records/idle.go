package records

import (
	"cmp"
	"context"
	"slices"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Anybody may send keys of rooms that we are not in. A session is idle if its keys
// came from its sender alone, of a room that no sync told of and in which no event
// was ever read. Beyond these bounds a sweep deletes idle sessions, the oldest first.
const (
	// MaxIdle bounds the idle sessions of one device.
	MaxIdle = 1000
	// MaxAllIdle bounds those of all devices that nobody knows: there may be any
	// number of such devices.
	MaxAllIdle = 20_000
)

// idleSession is a session that may be deleted.
type idleSession struct {
	id      group.SessionID
	room    matrix.RoomID
	sender  ratchet.PublicKey
	version kv.Version // rises with each write: the oldest has the least
}

func sweepGroupIns(ctx context.Context, s *Sweep) error {
	gone, err := txn.View(ctx, s.Account.DB, func(tx *txn.Tx) ([]group.SessionID, error) { return surplus(tx, s) })
	if err != nil || len(gone) == 0 {
		return err
	}
	still := func(tx *txn.Tx, in group.Inbound) (bool, error) {
		if known, err := isRoomKnown(tx, in.Room()); known || err != nil || !onlySent(in) {
			return false, err
		}
		read, err := wasRead(tx, in.ID()) // since it was found
		return !read, err
	}
	share := GroupInShare
	share.Checks += 2 // the room, and the first event
	_, err = machine.Delete(&GroupIns.Record, share, &s.Damaged, still).Named(ctx, s.Account, gone)
	return err
}

// surplus returns the idle sessions that are too many.
func surplus(tx *txn.Tx, s *Sweep) ([]group.SessionID, error) {
	bySender, n, err := sentSessions(tx, s)
	if err != nil {
		return nil, err
	}
	active := activeRooms{tx: tx, known: map[matrix.RoomID]bool{}}
	var gone, unknown []idleSession
	for sender, all := range bySender {
		if n <= MaxAllIdle && len(all) <= MaxIdle {
			continue // what is idle of them is not too much either
		}
		idle, err := active.without(all)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(idle, func(a, b idleSession) int { return cmp.Compare(b.version, a.version) })
		kept := min(len(idle), MaxIdle)
		gone = append(gone, idle[kept:]...)
		if _, owned, err := OwnerOf(tx, sender); err != nil && !machine.IsDamage(err) {
			return nil, err
		} else if err == nil && !owned {
			unknown = append(unknown, idle[:kept]...)
		}
	}
	if len(unknown) > MaxAllIdle {
		slices.SortFunc(unknown, func(a, b idleSession) int { return cmp.Compare(b.version, a.version) })
		gone = append(gone, unknown[MaxAllIdle:]...)
	}
	ids := make([]group.SessionID, len(gone))
	for i, g := range gone {
		ids[i] = g.id
	}
	return ids, nil
}

// sentSessions returns the sessions of which there is nothing but what their sender
// sent, by sender, and how many they are.
func sentSessions(tx *txn.Tx, s *Sweep) (bySender map[ratchet.PublicKey][]idleSession, n int, err error) {
	bySender = map[ratchet.PublicKey][]idleSession{}
	for e, err := range GroupIns.Stored(tx) {
		if err != nil {
			return nil, 0, err
		}
		switch {
		case e.Err != nil && (s.Damaged.Note(e.Err) || machine.IsSetAside(e.Err)):
			continue
		case e.Err != nil:
			return nil, 0, e.Err
		case !onlySent(e.Value):
			continue
		}
		from := e.Value.Copies()[0].Sender
		bySender[from] = append(bySender[from], idleSession{e.Value.ID(), e.Value.Room(), from, e.Version})
		n++
	}
	return bySender, n, nil
}

// onlySent reports whether a session's keys came from its sender alone, and nothing of
// it was forgotten on purpose: that is to stay.
func onlySent(in group.Inbound) bool {
	c := in.Copies()
	return in.Floor() == 0 && len(c) == 1 && c[0].Provenance == group.Direct
}

// activeRooms finds rooms that there is a reason to have keys of.
type activeRooms struct {
	tx    *txn.Tx
	known map[matrix.RoomID]bool
}

// without returns the sessions that are not of active rooms.
func (a activeRooms) without(all []idleSession) (idle []idleSession, err error) {
	for _, one := range all {
		if _, asked := a.known[one.room]; !asked {
			if a.known[one.room], err = isRoomKnown(a.tx, one.room); err != nil {
				return nil, err
			}
		}
		if !a.known[one.room] {
			if a.known[one.room], err = wasRead(a.tx, one.id); err != nil {
				return nil, err
			}
		}
	}
	for _, one := range all {
		if !a.known[one.room] {
			idle = append(idle, one)
		}
	}
	return idle, nil
}

// isRoomKnown reports whether some sync told of a room. One whose record cannot be
// read is one.
func isRoomKnown(tx *txn.Tx, room matrix.RoomID) (bool, error) {
	_, known, err := Rooms.Get(tx, room)
	if machine.IsDamage(err) || machine.IsSetAside(err) {
		return true, nil
	}
	return known, err
}

// wasRead reports whether some message of a session was read.
func wasRead(tx *txn.Tx, id group.SessionID) (bool, error) {
	for _, err := range Replays.Some(tx, txn.PathOf(id.String()), 1) {
		if err != nil && !machine.IsDamage(err) {
			return false, err
		}
		return true, nil
	}
	return false, nil
}
