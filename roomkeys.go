package pawl

import (
	"context"
	"encoding/json"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// RoomEvent is an event of a room, of type m.room.encrypted.
type RoomEvent struct {
	Room matrix.RoomID
	// ID is the event's id. Without one, as a push message may come, the event is
	// checked, and does not take the place of another.
	ID      matrix.EventID
	Sender  matrix.UserID
	Content json.RawMessage // at most 1 MiB
	// AllowMismatched has an event read, too, whose session is by a device of another user
	// than its sender, as a bridge's bot encrypts for the users of another network. The
	// state of its Sender is DeviceMismatched then, and the device is the one that made the
	// session: show such an event as nobody's whom encryption vouches for. Without it that
	// is ErrOtherUser.
	AllowMismatched bool
}

// Session returns the session that the event was encrypted in, for WaitForRoomKey and
// RequestRoomKey. It fails with ErrContent or ErrAlgorithm.
func (e RoomEvent) Session() (group.SessionID, error) { return roomkeys.SessionOf(e.Content) }

// DecryptedRoomEvent is an event of a room that was read.
type DecryptedRoomEvent struct {
	secret.Guard // the content is not for logs
	Type         string
	// Content is the content of the event within, a JSON object. Where it has no
	// m.relates_to, that of the event's own content is copied in, which servers can
	// read and change.
	Content    json.RawMessage
	StateKey   *string // nil: not a state event
	Session    group.SessionID
	Index      uint32           // of the message in its session
	Provenance group.Provenance // of the key that opened it
	Sender     Party
	// Forwarder is the device that forwarded the key or gave the bundle it was in, nil
	// for all others.
	Forwarder *Party
	// SharedHistory: whoever joins the room later may be given the key.
	SharedHistory bool
	// Damaged counts the records that the answer was made without: of the sender's
	// device and identity. See [Machine.Check].
	Damaged int
}

// Party is a device, as far as it is known now. What it is may have another answer
// after the next answer to /keys/query.
type Party struct {
	Curve25519 ratchet.PublicKey
	Ed25519    account.VerifyKey // zero: not known
	// Device is its name. Until State says that the device is known it has no device
	// id, and the user is the event's sender.
	Device   device.Name
	State    DeviceState
	Trust    device.Trust
	Identity IdentityState // of the user
}

// DeviceState is what is known of a device by its Curve25519 key.
type DeviceState int

const (
	// DeviceUnknown: no answer to /keys/query has shown a device with this key. That
	// the session's keys are by the event's sender is only what the key says.
	DeviceUnknown = DeviceState(roomkeys.Unknown)
	// DeviceKnown: it is a device of the event's sender.
	DeviceKnown = DeviceState(roomkeys.Known)
	// DeviceGone: it was one, and is logged out.
	DeviceGone = DeviceState(roomkeys.Gone)
	// DeviceDisputed: several devices claim the key, and none has proved that it has it.
	DeviceDisputed = DeviceState(roomkeys.Disputed)
	// DeviceMismatched: the key is another device's, or another user's than the
	// event's sender. Only a key from a bundle, a backup or a file is read then, or where
	// RoomEvent.AllowMismatched says so.
	DeviceMismatched = DeviceState(roomkeys.Mismatched)
)

// String is a word.
func (s DeviceState) String() string { return roomkeys.State(s).String() }

// IdentityState is what is known of the cross-signing keys of a user.
type IdentityState int

const (
	// IdentityNone: the user has none, or none was seen.
	IdentityNone = IdentityState(roomkeys.NoIdentity)
	// IdentityPinned: they are those that were seen first, or that were accepted.
	IdentityPinned = IdentityState(roomkeys.Pinned)
	// IdentityChanged: they are others, and nobody has accepted them.
	IdentityChanged = IdentityState(roomkeys.Changed)
	// IdentityVerified: somebody verified them.
	IdentityVerified = IdentityState(roomkeys.Verified)
)

// String is a word.
func (s IdentityState) String() string { return roomkeys.IdentityState(s).String() }

// DecryptRoomEvent reads an event of a room. (Session, index) is one event's: whoever
// reads an event first, in whichever process, makes the place its own, and another
// event with it is refused from then on. The same event may be read as often as one
// likes. Which event has the place is stored unsynced: a power failure may forget it
// of the latest ones. An event without an id is checked and not recorded: it takes no
// place, however often it is read, and where an event with an id has the place it is
// another one, and refused.
//
// Errors, none of which changes anything:
//
//   - of the event: matrix.ErrRoomID, matrix.ErrEventID, matrix.ErrUserID,
//     ErrContent (it, or the event within, is not of the form), ErrAlgorithm,
//     group.ErrMalformed, group.ErrVersion;
//   - of its key: group.ErrNoKey, group.ErrTooEarly (a [*group.IndexError]: the key
//     does not reach back to it), either with a [*group.WithheldError] if the
//     event's sender or an own device said that they withhold it;
//     group.ErrForgotten: it was given up by [Machine.ForgetRoomKeys];
//   - of the message: group.ErrSignature, group.ErrMAC, ErrReplay (another event
//     has its place), ErrOtherRoom (the session or the message is of another
//     room), ErrOtherUser (the session is by a device of somebody else, unless
//     AllowMismatched is set);
//   - of the account: account.ErrRetired, ErrFormat1.
func (m *Machine) DecryptRoomEvent(ctx context.Context, e RoomEvent) (DecryptedRoomEvent, error) {
	o, err := m.asClient().roomKeys.Decrypt(ctx, roomkeys.Event(e))
	if err != nil {
		return DecryptedRoomEvent{}, err
	}
	return decryptedRoomEvent(o), nil
}

func decryptedRoomEvent(o roomkeys.Opened) DecryptedRoomEvent {
	d := DecryptedRoomEvent{
		Type: o.Type, Content: o.Content, StateKey: o.StateKey, Session: o.Session, Index: o.Index, Provenance: o.Provenance,
		Sender: party(o.Sender), SharedHistory: o.SharedHistory, Damaged: o.Damaged,
	}
	if o.Forwarder != nil {
		p := party(*o.Forwarder)
		d.Forwarder = &p
	}
	return d
}

func party(p roomkeys.Party) Party {
	return Party{p.Curve25519, p.Ed25519, p.Device, DeviceState(p.State), p.Trust, IdentityState(p.Identity)}
}

// Forgetting says which sessions are to be forgotten: those of which all holds that
// is given. At least one of Room, Device and Session is given.
type Forgetting struct {
	Room    matrix.RoomID
	Device  ratchet.PublicKey // the Curve25519 key of who made the sessions
	Session group.SessionID
	// Below is the index from which on messages can still be read; 0: none can.
	Below uint64
}

// ForgetRoomKeys gives up room keys on purpose, in as many commits as the engine
// needs, and returns of how many sessions. Nothing that comes later brings back what
// is forgotten: no room key that is sent again, forwarded or imported, in whichever
// process. Sessions that are not stored yet are not concerned. The engine keeps what
// was overwritten until it compacts: see [Store.Erase].
//
// What is damaged is passed over, and the error, a kv.ErrCorrupt, says so when all
// others are done. Other errors: ErrForgetAll, account.ErrRetired.
func (m *Machine) ForgetRoomKeys(ctx context.Context, f Forgetting) (int, error) {
	return m.asClient().roomKeys.Forget(ctx, roomkeys.Forgetting(f))
}
