package pawl

import (
	"context"
	"iter"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/events"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// WaitForRoomKey waits for the key of a session that an event could not be read
// without. It returns nil as soon as there is one, whichever process stored it: the
// event may be tried again, and a key that does not reach back to it is waited for
// by calling again once Events tells of another. It returns a group.WithheldError as
// soon as the event's sender, or the own user, has said that the key is withheld, and
// at once where that was said before. The sender may be empty.
//
// Any number may wait, in any number of goroutines: a Machine watches the store once.
//
// It fails with matrix.ErrRoomID, ErrNoAccount, kv.ErrCorrupt (the key is damaged), an
// error of the store, or the context's.
func (m *Machine) WaitForRoomKey(ctx context.Context, room matrix.RoomID, session group.SessionID, sender matrix.UserID) error {
	if err := room.Check(); err != nil {
		return err
	}
	return m.asClient().bells.Wait(ctx, events.Missing{Room: room, Session: session, Sender: sender})
}

// EventKind is what an event is about.
type EventKind uint8

// The kinds of events.
const (
	// EventResync: the reader begins, or may have missed something. What follows is
	// the state of all that has changed since its position.
	EventResync = EventKind(events.Resync)
	// EventRoomKey: there is a key of a session, or one that reads more of it.
	EventRoomKey = EventKind(events.RoomKey)
	// EventDevice: a device is new, or something about it has changed.
	EventDevice = EventKind(events.DeviceChanged)
	// EventIdentity: a user has cross-signing keys, or something about them has
	// changed: other keys, or what was accepted or verified here.
	EventIdentity = EventKind(events.IdentityChanged)
	// EventRefused: a to-device event was not taken.
	EventRefused = EventKind(events.Refused)
	// EventWedged: what a device sends cannot be read any more, by no session and no key
	// of ours. Another session is opened with it, as soon as requests are sent.
	EventWedged = EventKind(events.Wedged)
	// EventUnwedged: a device that was wedged was heard again.
	EventUnwedged = EventKind(events.Unwedged)
)

// String is a word or two.
func (k EventKind) String() string {
	switch k {
	case EventResync:
		return "resync"
	case EventRoomKey:
		return "room key"
	case EventDevice:
		return "device"
	case EventIdentity:
		return "identity"
	case EventRefused:
		return "refused event"
	case EventWedged:
		return "session wedged"
	case EventUnwedged:
		return "session unwedged"
	}
	return "?"
}

// EventPosition is a place in the events of an account: a text that may be kept. The
// empty one is before everything.
type EventPosition string

// Event says in which state something is now.
type Event struct {
	Kind EventKind
	// Position is where to go on once this event is dealt with. Of events that are
	// told together only the last moves on.
	Position EventPosition
	Room     matrix.RoomID   // of EventRoomKey
	Session  group.SessionID // of EventRoomKey
	Index    uint32          // of EventRoomKey: the first message that can be read
	Device   device.Device   // of EventDevice
	Identity device.Known    // of EventIdentity
	Refused  Refusal         // of EventRefused
	Wedge    Wedge           // of EventWedged and EventUnwedged
}

// Wedge is a device with which our sessions have come apart.
type Wedge struct {
	User      matrix.UserID
	SenderKey ratchet.PublicKey // of the device
	// Since is when the first event came that could not be read since the device was
	// heard last, and Why what the newest says.
	Since time.Time
	Why   string
	// Tries counts the sessions that were asked for since then.
	Tries int
	// Heard is when the device was found to be heard again; zero: it was not.
	Heard time.Time
}

// Refusal is a to-device event that was not taken in some sync, and why. It is kept for two
// weeks; of more than 1,000 the oldest goes for a new one, and one sender has 32.
type Refusal struct {
	At        time.Time
	Sender    matrix.UserID     // as the server said; empty if it said none
	SenderKey ratchet.PublicKey // zero: it came plain, or was unreadable
	Type      string
	Code      Code // of the error; see Codes
	Why       string
}

// Events yields what has changed since a position, and goes on with what changes, in
// any process, until ctx ends: the state of each subject, told once however often it
// changed before it is read, and at least once whatever happens. Whoever keeps the
// position of the events that it has dealt with, and begins there again, misses
// nothing.
//
// A reader that begins, that fell behind, or whose position is of another store or of
// an older state of this one gets one EventResync, and then the state of all that has
// changed since its position, or of everything. Records that are damaged are no
// events: Check finds them.
//
// The sequence ends with an error: ErrNoAccount, one of the store, or the context's.
func (m *Machine) Events(ctx context.Context, after EventPosition) iter.Seq2[Event, error] {
	at, err := events.ParsePosition(string(after))
	if err != nil {
		at = events.Position{} // of another store, or none: all is told
	}
	return func(yield func(Event, error) bool) {
		for e, err := range events.Stream(ctx, m.account, at) {
			if !yield(eventOf(e), err) {
				return
			}
		}
	}
}

func eventOf(e events.Event) Event {
	r, w := e.Refused, e.Wedge
	return Event{
		Kind: EventKind(e.Kind), Position: EventPosition(e.Position.String()),
		Room: e.Room, Session: e.Session, Index: e.Index, Device: e.Device, Identity: e.Identity,
		Refused: Refusal{r.At.Time, r.Sender, r.SenderKey, r.Type, Code(r.Code), r.Why},
		Wedge:   Wedge{w.User, w.Key, w.First.Time, w.Why, w.Tries, w.Heard},
	}
}
