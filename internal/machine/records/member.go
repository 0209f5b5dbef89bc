package records

import (
	"slices"

	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Member is in which rooms somebody is who may have a key of ours: what changes of
// their devices changes with whom those are to be shared. It is written before
// their devices are looked at, so that nothing that changes later is missed.
type Member struct {
	User  matrix.UserID
	Rooms []matrix.RoomID
	// Many: in more rooms than are listed, or nobody knows in which.
	Many bool
}

// maxRooms bounds the rooms of a member, so that what happens to one user is one
// commit of any engine. Who is in more of them is in all.
const maxRooms = 16

// Members: in which rooms others are, member/<user>.
var Members = txn.Record[matrix.UserID, Member]{
	Kind: "member", Codec: machine.Encoded(decodeMember), Steady: true,
	Name: func(m Member) matrix.UserID { return m.User },
	Path: func(n matrix.UserID) txn.Path { return txn.PathOf(string(n)) },
}

var memberKind = Kind{Records: many(&Members), Check: checkMembers}

// RoomChange counts what concerns all rooms.
type RoomChange struct{ Count uint64 }

// RoomChanges: the record room-changes.
var RoomChanges = txn.Single[RoomChange]{Kind: "room-changes", Codec: machine.Encoded(decodeRoomChange)}

var roomChangesKind = Kind{Records: one(&RoomChanges)}

// gone reports that a record cannot be read, or was set aside.
func gone(err error) bool { return machine.IsDamage(err) || machine.IsSetAside(err) }

// IsMember reports whether a user may have a key of a room, so that a change of the
// user's devices marks it, and whether that is certain: who is in many rooms, or
// whose record cannot be read, is in all.
func IsMember(tx *txn.Tx, user matrix.UserID, room matrix.RoomID) (is, certain bool, err error) {
	m, _, err := Members.Get(tx, user)
	if gone(err) {
		return true, false, nil
	}
	listed := slices.Contains(m.Rooms, room)
	return m.Many || listed, listed, err
}

// inAnyRoom reports whether a user may be in a room. Whose record was set aside is in
// all of them.
func inAnyRoom(tx *txn.Tx, user matrix.UserID) (bool, error) {
	_, known, err := Members.Get(tx, user)
	if machine.IsSetAside(err) {
		return true, nil
	}
	return known, err
}

// SharesEncryptedRoom reports whether a user may be in an encrypted room in which we
// have shared a key. Who is in many rooms, or whose record cannot be read, is.
func SharesEncryptedRoom(tx *txn.Tx, user matrix.UserID) (bool, error) {
	m, known, err := Members.Get(tx, user)
	switch {
	case gone(err):
		return true, nil
	case err != nil || !known || m.Many:
		return m.Many, err
	}
	for _, id := range m.Rooms {
		r, _, err := ReadRoom(tx, id)
		if machine.IsDamage(err) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if r.Encrypted && !slices.Contains(r.Gone, user) {
			return true, nil
		}
	}
	return false, nil
}

// Enrol makes a change of a user's devices mark a room.
func Enrol(tx *txn.Tx, user matrix.UserID, room matrix.RoomID) error {
	m, _, err := Members.Get(tx, user)
	switch {
	case gone(err):
		return nil // in all rooms
	case err != nil || m.Many || slices.Contains(m.Rooms, room):
		return err
	}
	m.User = user
	if len(m.Rooms) == maxRooms {
		return Members.Put(tx, Member{User: user, Many: true})
	}
	m.Rooms = append(slices.Clip(m.Rooms), room)
	return Members.Put(tx, m)
}

// Dismiss makes a change of a user's devices not mark a room any more.
func Dismiss(tx *txn.Tx, user matrix.UserID, room matrix.RoomID) error {
	m, known, err := Members.Get(tx, user)
	switch {
	case gone(err):
		return nil
	case err != nil || !known || m.Many || !slices.Contains(m.Rooms, room):
		return err
	case len(m.Rooms) == 1:
		return Members.Delete(tx, user)
	}
	m.Rooms = slices.DeleteFunc(slices.Clone(m.Rooms), func(r matrix.RoomID) bool { return r == room })
	return Members.Put(tx, m)
}

// maxMarks bounds the rooms that one commit marks one by one.
const maxMarks = 256

// MarkRoomsOf marks the rooms in which a user may have a key of ours, in the commit
// that changes the user's devices, their keys, or how far they are trusted: nothing
// is sent in them before it was shared once more. It takes at most 18 writes and
// checks of the commit, and 1 and 2 once two fifths of it are used: then it marks all
// rooms.
func MarkRoomsOf(tx *txn.Tx, user matrix.UserID) error {
	m, known, err := Members.Get(tx, user)
	lost := gone(err)
	switch {
	case err != nil && !lost:
		return err
	case lost || m.Many || known && !mayMark(tx, len(m.Rooms)):
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

// MarkAllRooms marks all rooms. A count that cannot be read begins above all that it
// can have been.
func MarkAllRooms(tx *txn.Tx) error {
	c, _, err := RoomChanges.Get(tx)
	if gone(err) {
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

// Everywhere returns how often all rooms were marked. Damaged says why that cannot be
// read; then they are all as if they were marked, until [MendEverywhere].
func Everywhere(tx *txn.Tx) (count uint64, damaged, err error) {
	c, _, err := RoomChanges.Get(tx)
	if gone(err) {
		return 0, err, nil
	}
	return c.Count, nil, err
}

// MendEverywhere puts the count in the place of one that cannot be read.
func MendEverywhere(tx *txn.Tx) error {
	if _, _, err := RoomChanges.Get(tx); !gone(err) {
		return err
	}
	return MarkAllRooms(tx)
}

const (
	memberVersion = 2
	memberFields  = 3
	changeFields  = 1
)

// Encode returns the record: at most 5 KB.
func (m Member) Encode() ([]byte, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	return frame.Encode(memberVersion, memberFields, 64*(1+len(m.Rooms)), func(w *frame.Writer) {
		w.Text(string(m.User))
		w.Count(len(m.Rooms))
		for _, room := range m.Rooms {
			w.Text(string(room))
		}
		w.Bool(m.Many)
	}), nil
}

func (m Member) check() error {
	if err := m.User.Check(); err != nil {
		return err
	}
	if len(m.Rooms) > maxRooms || m.Many != (len(m.Rooms) == 0) {
		return frame.ErrFormat
	}
	for _, room := range m.Rooms {
		if err := room.Check(); err != nil {
			return err
		}
	}
	return nil
}

func decodeMember(b []byte) (m Member, err error) {
	err = frame.Decode("member", b, memberVersion, memberFields, func(in *frame.Reader) {
		m.User = matrix.UserID(in.Text(matrix.MaxLength))
		for range in.Count(maxRooms) {
			m.Rooms = append(m.Rooms, matrix.RoomID(in.Text(matrix.MaxLength)))
		}
		m.Many = in.Bool()
		if in.OK() {
			in.FailWith(m.check())
		}
	})
	if err != nil {
		return Member{}, err
	}
	return m, nil
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
