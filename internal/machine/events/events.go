package events

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Kind is what an event is about.
type Kind uint8

const (
	// Resync: this reader may have missed something, or begins. What follows is the
	// state of all that has changed since its position.
	Resync Kind = iota + 1
	// RoomKey: there is a key of a session, or one that reaches further back.
	RoomKey
	// DeviceChanged: a device is new, or is known otherwise than before.
	DeviceChanged
	// IdentityChanged: a user's cross-signing keys, or what is known of them.
	IdentityChanged
	// Refused: a to-device event was not taken.
	Refused
	// Wedged: what a device sends cannot be read any more.
	Wedged
	// Unwedged: a device that was wedged was heard again.
	Unwedged
)

// Event says in which state something is now. What changes again before it is read
// is told once.
type Event struct {
	Kind     Kind
	Position Position // where to go on once this event is dealt with
	Room     matrix.RoomID
	Session  group.SessionID // of RoomKey
	Index    uint32          // of RoomKey: the first that can be read
	Device   device.Device
	Identity device.Known
	Refused  records.Refused
	Wedge    records.Wedge // of Wedged and Unwedged
}

// Position is a place in what is told of an account: in which generation of its
// store, and at which version, counted over all stores that the account lived in.
// The zero Position is before everything.
type Position struct {
	generation uint64
	version    uint64
}

// ErrPosition: a text that is no position.
var ErrPosition = errors.New("pawl: not a position in the events of an account")

// String returns the text of a position, which ParsePosition reads.
func (p Position) String() string { return fmt.Sprintf("%d.%d", p.generation, p.version) }

// ParsePosition reads a position; the empty text is the zero one. It fails with
// ErrPosition.
func ParsePosition(s string) (Position, error) {
	if s == "" {
		return Position{}, nil
	}
	generation, version, _ := strings.Cut(s, ".")
	g, err := strconv.ParseUint(generation, 10, 64)
	v, err2 := strconv.ParseUint(version, 10, 64)
	if p := (Position{g, v}); err == nil && err2 == nil && p.String() == s {
		return p, nil
	}
	return Position{}, fmt.Errorf("%w: %.64q", ErrPosition, s)
}

// subject is a kind of record that events are about.
type subject struct {
	kind string
	// read returns the event of what is stored under a key; ok is false if it says
	// nothing.
	read func(tx *txn.Tx, key string) (e Event, ok bool, err error)
}

var subjects = []subject{
	about(&records.GroupIns.Record, func(in group.Inbound) (Event, bool) {
		first, err := in.Earliest()
		return Event{Kind: RoomKey, Room: in.Room(), Session: in.ID(), Index: first.Key.Index()}, err == nil
	}),
	about(&records.Devices, func(d device.Device) (Event, bool) { return Event{Kind: DeviceChanged, Device: d}, true }),
	about(&records.Identities, func(k device.Known) (Event, bool) { return Event{Kind: IdentityChanged, Identity: k}, true }),
	about(records.RefusedEvents.Records, func(r records.Refused) (Event, bool) { return Event{Kind: Refused, Refused: r}, true }),
	about(&records.Wedges, func(w records.Wedge) (Event, bool) {
		if w.IsWedged() {
			return Event{Kind: Wedged, Wedge: w}, true
		}
		return Event{Kind: Unwedged, Wedge: w}, !w.Heard.IsZero()
	}),
}

// about returns the subject of a kind of records. What cannot be read is no event:
// the check finds it.
func about[N, T any](r *txn.Record[N, T], tell func(T) (Event, bool)) subject {
	return subject{r.Kind, func(tx *txn.Tx, key string) (Event, bool, error) {
		v, ok, err := r.At(tx, key)
		if machine.IsDamage(err) || machine.IsSetAside(err) || err == nil && !ok {
			return Event{}, false, nil
		}
		if err != nil {
			return Event{}, false, err
		}
		e, ok := tell(v)
		return e, ok, nil
	}}
}

func subjectOf(key string) (subject, bool) {
	_, kind := txn.KindOf(key)
	at := slices.IndexFunc(subjects, func(s subject) bool { return s.kind == kind })
	if at < 0 {
		return subject{}, false
	}
	return subjects[at], true
}

// place is what a position is in this store.
type place struct{ generation, base uint64 }

// of returns the position of a version.
func (p place) of(v kv.Version) Position { return Position{p.generation, p.base + uint64(v)} }

// version returns the version of a position, 0 if it is none of this store: what
// came after it in another is not told by this one's versions.
func (p place) version(at Position) kv.Version {
	if at.generation != p.generation || at.version < p.base || at.version-p.base > uint64(kv.MaxVersion) {
		return 0
	}
	return kv.Version(at.version - p.base)
}
