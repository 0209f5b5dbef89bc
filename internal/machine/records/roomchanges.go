package records

import (
	"errors"

	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// RoomChange counts what concerns all rooms.
type RoomChange struct{ Count uint64 }

// RoomChanges: the record room-changes.
var RoomChanges = txn.Single[RoomChange]{
	Kind: "room-changes", Codec: machine.Encoded[RoomChange]{Read: decodeRoomChange}, Steady: true,
}

func roomChangesKind() Kind { return Kind{Records: one(&RoomChanges)} }

// maxMarks bounds the rooms that one commit marks one by one.
const maxMarks = 256

// MarkRoomsOf marks the rooms in which a user may have a key of ours, in the commit
// that changes the user's devices, their keys, or how far they are trusted: nothing
// is sent in them before it was shared once more. It takes at most 18 writes and
// checks of the commit, and 1 and 2 once two fifths of it are used: then it marks all
// rooms, as it does where the user's record is lost.
func MarkRoomsOf(tx *txn.Tx, user matrix.UserID) error {
	m, known, err := Members.Get(tx, user)
	lost := gone(err)
	switch {
	case err != nil && !lost:
		return err
	case lost || !known || m.Many || len(m.Rooms) > 0 && !mayMark(tx, len(m.Rooms)):
		return MarkAllRooms(tx)
	}
	for _, room := range m.Rooms {
		if err := MarkRoom(tx, room); err != nil {
			return err
		}
	}
	return nil
}

// mayMark reports whether the commit has room for marking so many one by one. What is
// left then is for other users: a check and a write each.
func mayMark(tx *txn.Tx, rooms int) bool {
	most := tx.Limits()
	return tx.Written()+rooms < min(maxMarks, most.Writes*2/5) && tx.Room(rooms+1, rooms+1+most.Checks*3/5)
}

// MarkRoom marks a room of which something is kept. One that is damaged is not sent
// in, and one that was set aside is shared anew.
func MarkRoom(tx *txn.Tx, id matrix.RoomID) error {
	r, known, err := Rooms.Get(tx, id)
	switch {
	case gone(err):
		return nil
	case err != nil || !known:
		return err
	}
	return Rooms.Put(tx, r.Change())
}

// MarkAllRooms marks all rooms. A count that cannot be read, or is missing, begins above
// all that it can have been.
func MarkAllRooms(tx *txn.Tx) error {
	c, known, err := RoomChanges.Get(tx)
	if gone(err) || err == nil && !known {
		at, err := tx.Version()
		if err != nil {
			return err
		}
		return RoomChanges.Put(tx, RoomChange{uint64(at) + 1})
	}
	if err != nil {
		return err
	}
	return RoomChanges.Put(tx, RoomChange{c.Count + 1})
}

// Everywhere returns how often all rooms were marked. Uncounted says why that is not
// known; then they are all as if they were marked, until [CountEverywhere]. Before the
// first room is shared there is no count: where it is missing later it is lost.
func Everywhere(tx *txn.Tx) (count uint64, uncounted, err error) {
	c, known, err := RoomChanges.Get(tx)
	switch {
	case gone(err):
		return 0, err, nil
	case err == nil && !known:
		return 0, errUncounted, nil
	}
	return c.Count, nil, err
}

var errUncounted = errors.New("nobody counts yet how often all rooms changed")

// CountEverywhere begins the count, or puts one in the place of one that cannot be read.
func CountEverywhere(tx *txn.Tx) error {
	if _, known, err := RoomChanges.Get(tx); known || err != nil && !gone(err) {
		return err
	}
	return MarkAllRooms(tx)
}

// Encode returns the record.
func (c RoomChange) Encode() ([]byte, error) {
	return frame.Encode(memberVersion, changeFields, 16, func(w *frame.Writer) { w.Uint(c.Count) }), nil
}

func decodeRoomChange(b []byte) (c RoomChange, err error) {
	err = frame.Decode("room-changes", b, memberVersion, changeFields, func(in *frame.Reader) {
		c.Count = in.Uint(1 << 63)
	})
	return c, err
}
