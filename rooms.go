package pawl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/matrix"
)

// RoomSettings are what a caller asks for who shares a room key. What is zero is as
// the room's state says, or else as the Matrix specification has it. What syncs said
// of the room's state goes before: it hides no history from it, and a session is used
// no longer than either says.
type RoomSettings struct {
	// Algorithm is "" or m.megolm.v1.aes-sha2.
	Algorithm string
	// Messages and Age are how many messages and how long a key is used, at most: 1 to
	// group.MaxMessages, group.MinAge to group.MaxAge.
	Messages   int
	Age        time.Duration
	Visibility group.Visibility
	// Strategy is which devices may have the key. Zero is group.AllDevices, and from
	// when the own device was cross-signed once group.CrossSigned.
	Strategy group.Strategy
	// Allow decides for group.ByCaller, which it stands for by itself. It may be called
	// several times, and must not call the Machine. What it answers counts when the key
	// is shared: share it again when the answers change.
	Allow func(DeviceInfo) bool
}

// Sharing is how far sharing a room key has come.
type Sharing struct {
	Session group.SessionID
	// Done: every device has the key, or is known not to get it now, and events may be
	// encrypted.
	Done bool
	// Requests are to be sent now, as those of OutgoingRequests.
	Requests []Request
	// Waiting are all requests without an answer, of whichever process. Where Done is
	// true nobody waits for them.
	Waiting []RequestID
	// NobodyVerified: the strategy is group.Verified, and as the own user is not verified
	// nobody is (VerifyIdentity). No device is given the key until then.
	NobodyVerified bool
}

// ShareRoomKey gives the key of the session that events of a room are encrypted in to
// the devices of its members, and of the own user, as far as that can be done now.
// Send the Requests, tell what became of them (MarkSent, MarkFailed), and call it
// again until Done; and call it before each event, or whenever EncryptRoomEvent asks
// for it: where nothing has changed it writes nothing.
//
// The session is made where there is none, and another one takes its place where it is
// used up, too old, of other settings, or where somebody may have its key who is not
// to have it any more. Devices of users who are not known yet are asked for, and
// sessions with those that there are none with. Who cannot be had after one try, or
// three where there was no answer, holds nobody up, and is given the key later: of a
// device without a session that is told to it (m.no_olm) once until there was one, and
// to one that the settings exclude (m.blacklisted, m.unverified) once for each session.
// Each request has messages for at most 250 devices, and one commit stores it with the
// steps of all ratchets, so nothing is encrypted twice, whichever processes share at once
// or die over it. A device that comes later is given the session at its index then.
//
// A list of members that is older than what syncs said gives nobody a key who left
// since. Who came since is not on it: make another list where RoomInfo.Changes has moved
// since it was made, and before each event where nothing tells of that.
//
// It fails with matrix.ErrRoomID, matrix.ErrUserID, ErrAlgorithm (also if the room's
// state asks for another one), group.ErrSettings, ErrFormat1, ErrNeedsRecovery,
// ErrUnwitnessed, account.ErrRetired, and kv.ErrCorrupt if what is kept of the room
// cannot be read. What was done before stays. Other records that are damaged are done
// without, as the log tells: their devices are not given the key.
func (m *Machine) ShareRoomKey(ctx context.Context, room matrix.RoomID, members []matrix.UserID, settings RoomSettings) (Sharing, error) {
	made, err := m.asClient().rooms.Share(ctx, room, members, settings.inner())
	if err != nil {
		return Sharing{}, notShared(err)
	}
	s := Sharing{Session: made.Session, Done: made.Done, Waiting: convert(made.Requests, requestID), NobodyVerified: made.NobodyVerified}
	all, err := m.asClient().outbox.Take(ctx, made.Requests...)
	s.Requests = convert(all, requestOf)
	return s, err
}

func (s RoomSettings) inner() rooms.Settings {
	in := rooms.Settings{Algorithm: s.Algorithm, Messages: s.Messages, Age: s.Age, Visibility: s.Visibility, Strategy: s.Strategy}
	if s.Allow != nil {
		in.Allow = func(c rooms.Candidate) bool {
			return s.Allow(DeviceInfo{c.Keys, c.Trust, c.Usable(), c.SignedBy, c.Seen, c.Gone})
		}
	}
	return in
}

func requestID(id outbox.ID) RequestID { return RequestID(id) }

// EncryptRoomEvent encrypts an event of a room and returns the content of the
// m.room.encrypted that carries it. A member m.relates_to of the content stays outside
// of what is encrypted, unless an option says otherwise. Its index in the session is
// used once, in whichever process and whatever happens: the content is returned only
// after that is durable. The commit writes less than 1 KB, however many devices there
// are.
//
// It fails with a NotSharedError or a RotateError, after which ShareRoomKey goes on:
// until every device is given the key or known not to get it, and as soon as any
// process heard that members, devices, identities or settings changed since.
// Otherwise with ErrContent (the content is no JSON object, what is to stand outside no
// JSON, or there is no type),
// matrix.ErrRoomID, ErrAlgorithm, ErrFormat1, ErrNeedsRecovery, ErrUnwitnessed,
// account.ErrRetired or kv.ErrCorrupt.
func (m *Machine) EncryptRoomEvent(ctx context.Context, room matrix.RoomID, eventType string, content json.RawMessage, options ...RoomEventOption) (json.RawMessage, error) {
	var form rooms.Form
	for _, set := range options {
		set(&form)
	}
	out, err := m.asClient().rooms.Encrypt(ctx, room, eventType, content, form)
	return out, notShared(err)
}

// RoomEventOption says what else an event is to be that EncryptRoomEvent makes.
type RoomEventOption func(*rooms.Form)

// RelationInside has m.relates_to encrypted with the rest of the content, so that the
// server does not see what the event relates to (MSC4392). What is given stands outside
// in its place, nil: nothing does.
func RelationInside(outside json.RawMessage) RoomEventOption {
	return func(f *rooms.Form) { f.Inside, f.RelatesTo = true, outside }
}

// StateKey makes the event one of the room's state, of which the type, too, is encrypted
// (MSC4362). Its reader finds it in StateKey of DecryptedRoomEvent.
func StateKey(key string) RoomEventOption {
	return func(f *rooms.Form) { f.StateKey = &key }
}

// NotSharedError is an ErrNotShared that names the requests without an answer, as far
// as they are known.
type NotSharedError struct{ Requests []RequestID }

// Error implements error.
func (e *NotSharedError) Error() string {
	return fmt.Sprintf("%v (%d requests have no answer)", ErrNotShared, len(e.Requests))
}

// Is makes errors.Is(err, ErrNotShared) true.
func (e *NotSharedError) Is(target error) bool { return target == ErrNotShared }

// RotateError is an ErrRotate that says why.
type RotateError struct{ Why group.Why }

// Error implements error.
func (e *RotateError) Error() string { return fmt.Sprintf("%v (%s)", ErrRotate, e.Why) }

// Is makes errors.Is(err, ErrRotate) true.
func (e *RotateError) Is(target error) bool { return target == ErrRotate }

// notShared turns the errors of package rooms into those of this one.
func notShared(err error) error {
	var not *rooms.NotSharedError
	var rotate *rooms.RotateError
	switch {
	case errors.As(err, &not):
		return &NotSharedError{convert(not.Requests, requestID)}
	case errors.As(err, &rotate):
		return &RotateError{rotate.Why}
	}
	return err
}

// RotateRoomKey gives up the session that events of a room are encrypted in: the next
// one goes in another. One that is being shared does not come back. It fails with
// matrix.ErrRoomID, ErrFormat1 or account.ErrRetired.
func (m *Machine) RotateRoomKey(ctx context.Context, room matrix.RoomID) error {
	return m.asClient().rooms.Rotate(ctx, room)
}

// Membership is what a user is in a room (Matrix specification, m.room.member).
type Membership = rooms.Membership

// The memberships. Any other is none, as Leave.
const (
	Join   = rooms.Join
	Invite = rooms.Invite
	Leave  = rooms.Leave
	Ban    = rooms.Ban
	Knock  = rooms.Knock
)

// MemberChange is what a user has become in a room.
type MemberChange struct {
	User       matrix.UserID
	Membership Membership
}

// MembersChanged tells what users have become in a room, for callers whose
// ReceiveSync is not given the events of rooms. Call it before ReceiveSync, which
// stores the token that covers them. Limited tells that events are missing before
// these: then whoever is not joined may have left in between.
//
// Who left is not given a key again until they are members again, and nothing more is
// encrypted in a session whose key they may have. It takes a commit for 16 users. It
// fails with matrix.ErrRoomID, matrix.ErrUserID, ErrFormat1 or account.ErrRetired.
func (m *Machine) MembersChanged(ctx context.Context, room matrix.RoomID, changes []MemberChange, limited bool) error {
	return m.asClient().rooms.MembersChanged(ctx, room, convert(changes, func(c MemberChange) rooms.MemberChange { return rooms.MemberChange(c) }), limited)
}

// RoomInfo is what is known of a room.
type RoomInfo struct {
	// Encrypted: its state said so, or a key of it was shared, ever. Nothing clears
	// that: send no event of the room that is not encrypted.
	Encrypted bool
	// Unsupported: its state asks for another algorithm than m.megolm.v1.aes-sha2, so
	// that nothing can be sent.
	Unsupported bool
	// Settings are those in force. The strategy is that of the last sharing, 0 before.
	Settings group.Settings
	// Session is the one that events are encrypted in, zero if there is none, and
	// Messages how many were.
	Session  group.SessionID
	Messages uint32
	// Why is why another session takes its place, group.Kept if none does.
	Why group.Why
	// Shared: events may be encrypted now.
	Shared bool
	// Changes counts what any process has noticed of the room that sharing depends on,
	// members who came and sessions that began among it. A list of members that was made
	// before it moved may lack somebody who has come since.
	Changes uint64
}

// Room returns what is known of a room: nothing, of one of which syncs said nothing
// and whose key was not shared. It fails with matrix.ErrRoomID, ErrNoAccount or
// kv.ErrCorrupt.
func (m *Machine) Room(ctx context.Context, room matrix.RoomID) (RoomInfo, error) {
	i, err := m.asClient().rooms.Show(ctx, room)
	return RoomInfo{i.Encrypted, i.Foreign, i.Settings, i.Session, i.Messages, i.Why, i.Shared, i.Changes}, err
}
