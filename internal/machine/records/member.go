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
// their devices are looked at, so that nothing that changes later is missed. Whoever
// is followed has a record, be it of no room: where it is missing it is lost, and nobody
// knows in which rooms the user is.
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
	Kind: "member", Codec: machine.Encoded[Member]{Read: decodeMember}, Steady: true,
	Name: func(m Member) matrix.UserID { return m.User },
	Path: func(n matrix.UserID) txn.Path { return txn.PathOf(string(n)) },
}

func memberKind() Kind { return Kind{Records: many(&Members), Check: checkMembers} }

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

// inAnyRoom reports whether a user who is followed may be in a room. Whose record was set
// aside, or is missing, is in all of them.
func inAnyRoom(tx *txn.Tx, user matrix.UserID) (bool, error) {
	m, known, err := Members.Get(tx, user)
	if machine.IsSetAside(err) {
		return true, nil
	}
	return !known || m.inAny(), err
}

func (m Member) inAny() bool { return m.Many || len(m.Rooms) > 0 }

// InNoRoom begins the record of a user, in the commit that begins to follow the user.
func InNoRoom(tx *txn.Tx, user matrix.UserID) error {
	_, known, err := Members.Get(tx, user)
	if known || gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return Members.Put(tx, Member{User: user})
}

// InSomeRoom returns those of some users who may have a key of a room of ours: they are
// to be followed, and their records say so.
func InSomeRoom(tx *txn.Tx, users ...matrix.UserID) (some []matrix.UserID, err error) {
	found, err := Members.GetAll(tx, users...)
	if err != nil {
		return nil, err
	}
	for i, f := range found {
		switch {
		case f.Err != nil && !gone(f.Err):
			return nil, f.Err
		case f.Err != nil, f.Value.inAny():
			some = append(some, users[i])
		}
	}
	return some, nil
}

// forgetMember ends the record of a user who is followed no more, and is in no room.
func forgetMember(tx *txn.Tx, user matrix.UserID) error {
	m, known, err := Members.Get(tx, user)
	if gone(err) || err == nil && (!known || m.inAny()) {
		return nil
	}
	if err != nil {
		return err
	}
	return Members.Delete(tx, user)
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

// Enrol makes a change of a user's devices mark a room, in a commit that begins to follow
// the user after that, if nobody does yet. Of whom is followed and has no record it is
// lost in which other rooms they are.
func Enrol(tx *txn.Tx, user matrix.UserID, room matrix.RoomID) error {
	m, known, err := Members.Get(tx, user)
	switch {
	case gone(err):
		return nil // in all rooms
	case err != nil || m.Many || slices.Contains(m.Rooms, room):
		return err
	}
	if !known {
		u, err := UsersOf(tx, user)
		if err != nil {
			return err
		}
		if u[0].Followed() {
			return Members.Put(tx, Member{User: user, Many: true})
		}
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
	}
	m.Rooms = slices.DeleteFunc(slices.Clone(m.Rooms), func(r matrix.RoomID) bool { return r == room })
	return Members.Put(tx, m)
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
	if len(m.Rooms) > maxRooms || m.Many && len(m.Rooms) > 0 {
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
