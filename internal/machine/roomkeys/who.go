package roomkeys

import (
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// State is what is known of the device that made a session.
type State int

const (
	// Unknown: no answer to /keys/query has shown a device with this key.
	Unknown State = iota
	// Known: it is a device of the event's sender.
	Known
	// Gone: it was one, and answers leave it out by now.
	Gone
	// Disputed: several devices claim the key, and none has proved it.
	Disputed
	// Mismatched: the key is that of another device, or of another user than the
	// event's sender. Only a copy that nobody vouches for is read then, unless the event
	// allows it.
	Mismatched
)

// String is a word.
func (s State) String() string {
	names := [...]string{"unknown", "known", "gone", "disputed", "mismatched"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("state %d", int(s))
	}
	return names[s]
}

// IdentityState is what is known of a user's identity.
type IdentityState int

const (
	// NoIdentity: the user has none, or none that was seen.
	NoIdentity IdentityState = iota
	// Pinned: it is the one that was seen first, or accepted.
	Pinned
	// Changed: it is another one, which nobody has accepted.
	Changed
	// Verified: somebody verified it.
	Verified
)

// String is a word.
func (s IdentityState) String() string {
	names := [...]string{"none", "pinned", "changed", "verified"}
	if s < 0 || int(s) >= len(names) {
		return fmt.Sprintf("identity state %d", int(s))
	}
	return names[s]
}

// Party is a device, as far as it is known.
type Party struct {
	Curve25519 ratchet.PublicKey
	Ed25519    account.VerifyKey // zero: not known
	Device     device.Name       // the user is that of the event until the device is known
	State      State
	Trust      device.Trust
	Identity   IdentityState // of the user
}

// looker looks parties up, and goes on without what is damaged.
type looker struct {
	tx      *txn.Tx
	own     matrix.UserID
	damaged machine.Damages
}

// passed notes damage; an error that is none is returned.
func (l *looker) passed(err error) error {
	if l.damaged.Note(err) || machine.IsSetAside(err) {
		return nil
	}
	return err
}

// owner returns whose event it is that was read with a key of this source. It fails
// with ErrOtherUser where the session is vouched for as that of a device, and the
// event is not that device's and does not allow that.
func (l *looker) owner(source group.Source, e Event) (Party, error) {
	p := Party{Curve25519: source.Sender, Ed25519: source.Claimed, Device: device.Name{User: e.Sender}}
	if err := l.find(&p); err != nil {
		return p, err
	}
	if p.State == Unknown {
		if err := l.unsettled(&p, e.Sender); err != nil {
			return p, err
		}
	}
	if p.State == Mismatched && source.Provenance >= group.Forwarded && !e.AllowMismatched {
		return p, fmt.Errorf("%w: session of %s in an event of %s", ErrOtherUser, p.Curve25519, e.Sender)
	}
	return p, nil
}

// find fills in the device that owns the party's Curve25519 key.
func (l *looker) find(p *Party) error {
	user := p.Device.User
	own, theirs, err := l.identities(user)
	if err != nil {
		return err
	}
	p.Identity = stateOf(theirs, own)
	o, known, err := records.Owners.Get(l.tx, p.Curve25519)
	if err := l.passed(err); err != nil {
		return err
	}
	switch {
	case err != nil || !known:
		return nil
	case o.Open:
		p.State = Mismatched
		if slices.ContainsFunc(o.Claimers, func(n device.Name) bool { return n.User == user }) {
			p.State = Disputed
		}
		return nil
	}
	d, known, err := records.Devices.Get(l.tx, o.Claimers[0])
	if err := l.passed(err); err != nil {
		return err
	}
	switch {
	case err != nil || !known:
		if o.Claimers[0].User != user {
			p.State = Mismatched
		}
		return nil
	case d.User != user, p.Ed25519 != (account.VerifyKey{}) && d.Ed25519 != p.Ed25519:
		p.Device, p.State, p.Trust = d.Name, Mismatched, device.Unsigned
		return nil
	}
	p.Device, p.Ed25519, p.State = d.Name, d.Ed25519, Known
	if !d.Gone.IsZero() {
		p.State = Gone
	}
	if d.Disputed {
		p.State = Disputed
		return nil
	}
	p.Trust = theirs.Of(d, own)
	return nil
}

// identities returns the own user's and another's, zero where there is none.
func (l *looker) identities(user matrix.UserID) (own, theirs device.Known, err error) {
	own, _, err = records.Identities.Get(l.tx, l.own)
	if err = l.passed(err); err != nil {
		return own, theirs, err
	}
	theirs, _, err = records.Identities.Get(l.tx, user)
	return own, theirs, l.passed(err)
}

func stateOf(k, own device.Known) IdentityState {
	switch {
	case k.IsZero():
		return NoIdentity
	case k.Changed():
		return Changed
	case k.IsVerified(own):
		return Verified
	}
	return Pinned
}

// unsettled looks in whose name the key of a device came that nobody knows yet.
func (l *looker) unsettled(p *Party, sender matrix.UserID) error {
	u, marked, err := records.Unsettleds.Get(l.tx, p.Curve25519)
	if err := l.passed(err); err != nil {
		return err
	}
	if err == nil && marked && u.User != sender {
		p.State = Mismatched
	}
	return nil
}

// giver returns the device that forwarded a key or gave a bundle, nil if nobody did.
func (l *looker) giver(source group.Source) (*Party, error) {
	if source.Giver == (ratchet.PublicKey{}) {
		return nil, nil
	}
	p := Party{Curve25519: source.Giver}
	o, known, err := records.Owners.Get(l.tx, source.Giver)
	if err := l.passed(err); err != nil {
		return nil, err
	}
	if err == nil && known && !o.Open {
		p.Device.User = o.Claimers[0].User
	}
	return &p, l.find(&p)
}
