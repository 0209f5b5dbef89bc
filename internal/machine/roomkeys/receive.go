package roomkeys

import (
	"encoding/json"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// From is who sent a to-device event.
type From struct {
	User       matrix.UserID     // the event's sender, as the server says
	Curve25519 ratchet.PublicKey // whose Olm message brought it; zero: it came plain
	Ed25519    account.VerifyKey // that the message's payload names
	Device     device.Name       // that these keys are known to be of; zero: not known yet
	Trust      device.Trust      // of that device
}

// Outcome is what came of an event.
type Outcome struct {
	Result     Result
	Room       matrix.RoomID // "" for a notice m.no_olm
	Session    group.SessionID
	Provenance group.Provenance // 0: it was a notice
	// Unsettled: the key is from a device that is not known yet. Its user is to be
	// asked for.
	Unsettled bool
	// GivenUp are stored copies of the key that contradict the one that came, which is
	// better.
	GivenUp []group.Refused
}

// Content is the content of an event, as far as it can be read without the store: the
// signature of a room key is verified, which takes longer than all the rest. The zero
// Content is none.
type Content struct {
	object  object
	err     error // why it is no content
	key     group.Key
	invalid error // why the key of a room key is none
	read    bool
}

// Read reads the content of an event. It may be called from any number of goroutines.
func Read(eventType string, content json.RawMessage) Content {
	c := Content{read: true}
	if c.object, c.err = parseObject(content); c.err == nil && eventType == RoomKey {
		c.key, c.invalid = c.object.anyKey(group.ParseSharedKey)
	}
	return c
}

// IsZero reports that nothing was read.
func (c Content) IsZero() bool { return !c.read }

// Receive applies an event of a type that [Handles] says yes to: a room key, a
// forwarded room key or a notice that one is withheld. Place is that of the event
// among what the transaction does. The caller has made all checks of Olm payloads
// that do not depend on the type.
//
// A failure has written nothing. It is of the event: ErrPlain, ErrContent,
// ErrAlgorithm, ErrSessionID, ErrOtherRoom, ErrNotRequested, ErrUnsettled,
// ErrOtherUser, ErrContradicts (another ratchet is stored, and not worse), group.ErrMalformed, group.ErrVersion, group.ErrSignature,
// group.ErrForgotten (the key was deleted on purpose), group.ErrNotice; or it
// is of the store, or machine.ErrFormat1.
func (k *Keys) Receive(tx *txn.Tx, v account.Account, place int, from From, eventType string, content Content) (Outcome, error) {
	if !v.Raised() {
		return Outcome{}, machine.ErrFormat1
	}
	if content.err != nil {
		return Outcome{}, content.err
	}
	o := content.object
	switch eventType {
	case RoomKey:
		return k.receiveKey(tx, from, content)
	case ForwardedRoomKey:
		return k.receiveForwarded(tx, v, from, o)
	case Withheld, OldWithheld:
		at, err := k.account.Moment(tx, v, place)
		if err != nil {
			return Outcome{}, err
		}
		return k.receiveNotice(tx, at, from, o)
	}
	return Outcome{}, fmt.Errorf("%w: type %.64q", ErrContent, eventType)
}

// receiveKey keeps a key that the session's owner sent.
func (k *Keys) receiveKey(tx *txn.Tx, from From, c Content) (Outcome, error) {
	if from.Curve25519 == (ratchet.PublicKey{}) {
		return Outcome{}, ErrPlain
	}
	in, err := c.object.inbound(c.key, c.invalid, group.Source{
		Provenance: group.Direct, Sender: from.Curve25519, Claimed: from.Ed25519, SharedHistory: c.object.sharedHistory(),
	})
	if err != nil {
		return Outcome{}, err
	}
	if from.Device != (device.Name{}) {
		return k.add(tx, in)
	}
	mark, err := k.mark(tx, from, in.ID())
	if err != nil {
		return Outcome{}, err
	}
	out, err := k.add(tx, in)
	if err != nil {
		return Outcome{}, err
	}
	out.Unsettled = true
	if mark == nil {
		return out, nil
	}
	return out, records.Unsettleds.Put(tx, *mark)
}

// inbound is the session that the content of an event gives a key of; invalid is why
// that is none.
func (o object) inbound(key group.Key, invalid error, source group.Source) (group.Inbound, error) {
	if err := o.megolm(); err != nil {
		return group.Inbound{}, err
	}
	room, id, err := o.session()
	switch {
	case err != nil:
		return group.Inbound{}, err
	case invalid != nil:
		return group.Inbound{}, invalid
	case key.ID() != id:
		return group.Inbound{}, fmt.Errorf("%w: %s is not %s", ErrSessionID, id, key.ID())
	}
	return group.NewInbound(room, group.NewCopy(key, source))
}

// receiveForwarded keeps a key that an own verified device sent because we asked.
func (k *Keys) receiveForwarded(tx *txn.Tx, v account.Account, from From, o object) (Outcome, error) {
	if from.Curve25519 == (ratchet.PublicKey{}) {
		return Outcome{}, ErrPlain
	}
	if from.Device.User != v.User() || from.User != v.User() || from.Trust != device.Verified {
		return Outcome{}, fmt.Errorf("%w: from %s", ErrNotRequested, from.User)
	}
	sender, err := o.curve25519("sender_key")
	if err != nil {
		return Outcome{}, err
	}
	claimed, err := o.ed25519("sender_claimed_ed25519_key")
	if err != nil {
		return Outcome{}, err
	}
	key, invalid := o.anyKey(group.ParseExportedKey)
	in, err := o.inbound(key, invalid, group.Source{
		Provenance: group.Forwarded, Sender: sender, Claimed: claimed, Giver: from.Curve25519, SharedHistory: o.sharedHistory(),
	})
	if err != nil {
		return Outcome{}, err
	}
	open := false
	if k.Requested != nil {
		if open, err = k.Requested(tx, from, in.Room(), in.ID()); err != nil {
			return Outcome{}, err
		}
	}
	if !open {
		return Outcome{}, fmt.Errorf("%w: session %s", ErrNotRequested, in.ID())
	}
	return k.add(tx, in)
}
