package records

import (
	"slices"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Room is what is kept of a room: what its state says of encryption, and whether
// the session that we send in was shared with everybody since anything changed.
// Encrypting reads it and does not write it.
type Room struct {
	ID matrix.RoomID
	// Encrypted is never cleared.
	Encrypted bool
	// Foreign: the room's state asks for another algorithm than Megolm, and never
	// asked for that. Nothing can be sent.
	Foreign bool
	// State is what events of the room's state say, Asked what a caller asked for
	// who shared. What they do not say is 0.
	State, Asked RoomRules
	// Strategy is that of the last share, 0 before.
	Strategy group.Strategy
	// Changed rises with everything that sharing depends on. Shared is what it was
	// when all was shared, and Everywhere what [RoomChanges] was then.
	Changed, Shared, Everywhere uint64
	// Members is a digest of the members that it was shared with.
	Members [32]byte
	// Retry is when the devices that were not reached are to be tried again; zero:
	// all were.
	Retry time.Time
	// Waiting are the requests that carry the session's key and have no answer yet.
	// Nothing is sent meanwhile. Asking are those by which devices or sessions are
	// asked for, as far as the last share knew; some may be answered.
	Waiting, Asking []RequestID
	// Gone are the last of the members that left and did not come back: a list of
	// members with one of them is older than that.
	Gone []matrix.UserID
}

// RoomRules are some of a room's settings, each 0 where nobody has said.
type RoomRules struct {
	Messages   int
	Age        time.Duration
	Visibility group.Visibility
}

// Bounds of a room's record.
const (
	// MaxWaiting is more requests than 10,000 devices need where one commit takes 100
	// writes.
	MaxWaiting = 1024
	MaxAsking  = 64
	MaxGone    = 64
	// maxGoneBytes is that many users with names as they mostly are.
	maxGoneBytes = 2048
)

// Rooms: what is kept of rooms, room/<room>.
var Rooms = txn.Record[matrix.RoomID, Room]{
	Kind: "room", Codec: machine.Encoded[Room]{Read: decodeRoom}, Steady: true,
	Name: func(r Room) matrix.RoomID { return r.ID },
	Path: func(n matrix.RoomID) txn.Path { return txn.PathOf(string(n)) },
}

func roomKind() Kind { return Kind{Records: many(&Rooms), Check: checkRooms, Inspect: inspectRooms} }

// ReadRoom reads what is kept of a room; known is false if that is nothing. A room
// whose record was set aside is encrypted, and nothing else is known of it.
func ReadRoom(tx *txn.Tx, id matrix.RoomID) (r Room, known bool, err error) {
	r, known, err = Rooms.Get(tx, id)
	switch {
	case machine.IsSetAside(err):
		at, err := tx.Version()
		// Not what it may have been before.
		return Room{ID: id, Encrypted: true, Changed: uint64(at)}, false, err
	case err != nil:
		return Room{}, false, err
	case !known:
		return Room{ID: id}, false, nil
	}
	return r, true, nil
}

// Change returns the room after something changed that sharing depends on.
func (r Room) Change() Room {
	r.Changed++
	return r
}

// Whole reports whether the session was shared with everybody who is to have it,
// and nothing has changed since: everywhere is the count of [RoomChanges] now.
func (r Room) Whole(everywhere uint64) bool {
	return r.Shared != 0 && r.Shared == r.Changed && r.Everywhere == everywhere && len(r.Waiting) == 0
}

// Leave returns the room after a member left.
func (r Room) Leave(user matrix.UserID) Room {
	r = r.Return(user)
	r.Gone = append(r.Gone, user)
	size := 0
	for _, gone := range r.Gone {
		size += len(gone)
	}
	for len(r.Gone) > MaxGone || size > maxGoneBytes {
		size -= len(r.Gone[0])
		r.Gone = r.Gone[1:]
	}
	return r
}

// Return returns the room after a user became a member.
func (r Room) Return(user matrix.UserID) Room {
	r.Gone = slices.DeleteFunc(slices.Clone(r.Gone), func(gone matrix.UserID) bool { return gone == user })
	return r
}

// Settings are those in force. What was asked for can only shorten how long a
// session is used, and what the room's state says of its history goes before what
// a caller says.
func (r Room) Settings() group.Settings {
	s := group.Settings{
		Messages: group.DefaultMessages, Age: group.DefaultAge, Visibility: group.Shared, Strategy: r.Strategy,
	}
	if n := smaller(r.State.Messages, r.Asked.Messages); n != 0 {
		s.Messages = n
	}
	if d := smaller(r.State.Age, r.Asked.Age); d != 0 {
		s.Age = d
	}
	switch {
	case r.State.Visibility != 0:
		s.Visibility = r.State.Visibility
	case r.Asked.Visibility != 0:
		s.Visibility = r.Asked.Visibility
	}
	return s.Clamped()
}

// smaller returns the smaller of two that may be 0: not said.
func smaller[T int | time.Duration](a, b T) T {
	if a == 0 || b == 0 {
		return max(a, b)
	}
	return min(a, b)
}

const (
	roomVersion = 2
	roomFields  = 18
	roomSize    = 192 // beside lists and the id
)

// Encode returns the record: about 150 bytes where nothing waits and nobody left,
// and 22 KB at most.
func (r Room) Encode() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	size := roomSize + len(r.ID) + 18*(len(r.Waiting)+len(r.Asking)) + 64*len(r.Gone)
	return frame.Encode(roomVersion, roomFields, size, func(w *frame.Writer) {
		w.Text(string(r.ID))
		w.Bool(r.Encrypted)
		w.Bool(r.Foreign)
		r.State.write(w)
		r.Asked.write(w)
		w.Uint(uint64(r.Strategy))
		w.Uint(r.Changed)
		w.Uint(r.Shared)
		w.Uint(r.Everywhere)
		writeDigest(w, r.Members)
		w.Time(r.Retry)
		writeIDs(w, r.Waiting)
		writeIDs(w, r.Asking)
		w.Count(len(r.Gone))
		for _, user := range r.Gone {
			w.Text(string(user))
		}
	}), nil
}

func (r Room) check() error {
	if err := r.ID.Check(); err != nil {
		return err
	}
	if len(r.Waiting) > MaxWaiting || len(r.Asking) > MaxAsking || len(r.Gone) > MaxGone {
		return frame.ErrFormat
	}
	return nil
}

func decodeRoom(b []byte) (r Room, err error) {
	err = frame.Decode("room", b, roomVersion, roomFields, func(in *frame.Reader) {
		r.ID = matrix.RoomID(in.Text(matrix.MaxLength))
		r.Encrypted, r.Foreign = in.Bool(), in.Bool()
		r.State.read(in)
		r.Asked.read(in)
		r.Strategy = group.Strategy(in.Uint(uint64(group.ByCaller)))
		r.Changed, r.Shared, r.Everywhere = in.Uint(1<<63), in.Uint(1<<63), in.Uint(1<<63)
		r.Members = readDigest(in)
		r.Retry = in.Time()
		r.Waiting, r.Asking = readIDs(in, MaxWaiting), readIDs(in, MaxAsking)
		for range in.Count(MaxGone) {
			user := matrix.UserID(in.Text(matrix.MaxLength))
			if in.OK() {
				in.FailWith(user.Check())
			}
			r.Gone = append(r.Gone, user)
		}
		if in.OK() {
			in.FailWith(r.ID.Check())
			in.Check(r.Shared <= r.Changed, "shared later than changed")
		}
	})
	if err != nil {
		return Room{}, err
	}
	return r, nil
}

func (s RoomRules) write(w *frame.Writer) {
	w.Uint(uint64(s.Messages))
	w.Uint(uint64(s.Age.Milliseconds()))
	w.Uint(uint64(s.Visibility))
}

func (s *RoomRules) read(in *frame.Reader) {
	s.Messages = int(in.Uint(group.MaxMessages))
	s.Age = time.Duration(in.Uint(uint64(group.MaxAge.Milliseconds()))) * time.Millisecond
	s.Visibility = group.Visibility(in.Uint(uint64(group.WorldReadable)))
	in.Check(s.Age == 0 || s.Age >= group.MinAge, "age")
}

// writeDigest writes a digest that may be missing: no bytes then.
func writeDigest(w *frame.Writer, d [32]byte) {
	if d == ([32]byte{}) {
		w.Bytes(nil)
		return
	}
	w.Bytes(d[:])
}

func readDigest(in *frame.Reader) (d [32]byte) {
	b := in.Bytes(len(d))
	if len(b) == 0 {
		return d
	}
	in.Check(len(b) == len(d), "length of a digest")
	copy(d[:], b)
	in.Check(!in.OK() || d != ([32]byte{}), "digest of zeros")
	return d
}

func writeIDs(w *frame.Writer, ids []RequestID) {
	w.Count(len(ids))
	for _, id := range ids {
		w.Bytes(id[:])
	}
}

func readIDs(in *frame.Reader, most int) (ids []RequestID) {
	for range in.Count(most) {
		var id RequestID
		in.Fixed(id[:])
		ids = append(ids, id)
	}
	return ids
}
