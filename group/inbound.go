package group

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/matrix"
)

// Inbound is what is stored of a session that somebody sends in (record
// group-in/<session id>): the copies of its key that are worth keeping,
// and the floor below which none is kept.
//
// # Copies
//
// A key may come several times: from its sender, forwarded, from a backup, from a
// file. Of each provenance the earliest copy is kept, unless one of a better
// provenance is as early. So for each index there is the best copy that reaches
// it, and [Inbound.Decrypt] says whose that was. At most five are kept; nearly
// always it is one.
//
// All copies of a record are of one ratchet ([Key.Connected]). One that does not
// fit is refused ([Inbound.Merge]). A session has one owner, who signs every message
// in it: who that is, and whether the history is shared, is what the best copy says.
//
// # Forged copies
//
// A key that nobody signed may be made up. Whoever knows the ratchet at an index
// can make up an earlier one that leads to it, if a multiple of 256 lies between:
// R_3 is overwritten there. Such a copy fits, and opens nothing before that
// multiple. It takes nothing away: no copy that is kept decrypts less than before,
// and one that its sender or an own device vouches for replaces it when it comes.
//
// # The floor
//
// [Inbound.Forget] is a deliberate deletion. What lies below the floor does not
// come back, whatever is joined, imported or delivered again.
//
// An Inbound is a value: no method changes its receiver.
type Inbound struct {
	secret.Guard
	room   matrix.RoomID
	id     SessionID
	floor  uint64
	copies []Copy // provenance and first index fall strictly
}

// Whole is the floor of a session of which nothing is to be kept.
const Whole = 1 << 32

var (
	// ErrSource: a copy without a key or with a provenance that does not exist.
	ErrSource = errors.New("group: copy has no key or no provenance")
	// ErrForgotten: the index lies below the floor: the key was deleted on purpose.
	ErrForgotten = errors.New("group: key was deleted on purpose")
	// ErrOther: records of two sessions, or of one session in two rooms.
	ErrOther = errors.New("group: record is of another session or room")
)

// NewInbound returns the record of a first copy. It fails with [ErrSource] or
// [matrix.ErrRoomID].
func NewInbound(room matrix.RoomID, c Copy) (Inbound, error) {
	if err := room.Check(); err != nil {
		return Inbound{}, err
	}
	if c.Key.IsZero() || c.Provenance < File || c.Provenance > Direct {
		return Inbound{}, ErrSource
	}
	return Inbound{room: room, id: c.Key.id, copies: []Copy{c}}, nil
}

// Room returns the room that the session was made for. A message of it in another
// room is not to be believed.
func (in Inbound) Room() matrix.RoomID { return in.room }

// ID returns the session's id.
func (in Inbound) ID() SessionID { return in.id }

// Floor returns the index below which nothing is kept, at most [Whole].
func (in Inbound) Floor() uint64 { return in.floor }

// Copies returns what is kept, the best provenance first. The last one reaches
// furthest back.
func (in Inbound) Copies() []Copy { return slices.Clone(in.copies) }

// Earliest returns the key that reaches furthest back, or [ErrNoKey].
func (in Inbound) Earliest() (Copy, error) {
	if len(in.copies) == 0 {
		return Copy{}, ErrNoKey
	}
	return in.copies[len(in.copies)-1], nil
}

// Opened is a message that was decrypted.
type Opened struct {
	secret.Guard
	Text  []byte // belongs to the caller
	Index uint32
	// Source has provenance and giver of the copy that opened it, and what the best
	// copy says of the session: whose it is, and whether its history is shared.
	Source Source
}

// Decrypt verifies m and opens it with the copy of the best provenance that
// reaches it. It fails as [Key.Decrypt] does, and with [ErrForgotten] for an index
// below the floor.
func (in Inbound) Decrypt(m Message) (Opened, error) {
	opened, _, err := in.DecryptFrom(Reached{}, m)
	return opened, err
}

// reaching returns the best copy that reaches an index.
func (in Inbound) reaching(index uint32) (Copy, error) {
	if uint64(index) < in.floor {
		return Copy{}, ErrForgotten
	}
	for _, c := range in.copies {
		if c.Key.Index() <= index {
			return c, nil
		}
	}
	last, err := in.Earliest()
	if err != nil {
		return Copy{}, err
	}
	return Copy{}, &IndexError{First: last.Key.Index(), Index: index}
}

// Forget returns the record without anything below an index: the keys are advanced
// to it, and what was before is gone. [Whole] or more leaves nothing, for good. A
// floor is never lowered.
func (in Inbound) Forget(below uint64) Inbound {
	below = min(below, Whole)
	if below <= in.floor {
		return in
	}
	in.floor = below
	in.copies = raised(in.copies, below)
	return in
}

// raised returns the copies with no key below a floor.
func raised(copies []Copy, floor uint64) []Copy {
	if floor == Whole {
		return nil
	}
	out := slices.Clone(copies)
	for i := range out {
		if at := uint32(floor); out[i].Key.Index() < at {
			next, err := out[i].Key.Advance(at)
			if err != nil {
				panic(fmt.Sprintf("group: a key does not advance: %v", err)) // it is neither zero nor beyond
			}
			out[i].Key = next
		}
	}
	return out
}
