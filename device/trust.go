package device

import (
	"github.com/pawlkv/pawl/account"
)

// Known is what is kept of a user's identity.
type Known struct {
	Identity
	// Pinned is the master key that was seen first, or accepted since. Another one
	// is a change.
	Pinned account.VerifyKey
	// Verified is the master key that somebody compared, by an explicit act. What follows
	// from that is for [Known.IsVerified] to say.
	Verified account.VerifyKey
}

// See takes what an answer says. A user whose keys are missing keeps those that are
// known: nobody signs that there are none.
func (k Known) See(i Identity) (next Known, changed bool) {
	if i.IsZero() || i == k.Identity {
		return k, false
	}
	changed = !k.IsZero() && i.Master != k.Master
	k.Identity = i
	if k.Pinned == (account.VerifyKey{}) {
		k.Pinned = i.Master
	}
	return k, changed
}

// Changed reports that the master key is not the pinned one, and that nobody has
// accepted it.
func (k Known) Changed() bool { return !k.IsZero() && k.Master != k.Pinned }

// Accept pins the master key that is there now. That it was another before does not
// make it verified.
func (k Known) Accept() Known {
	k.Pinned = k.Master
	return k
}

// Verify notes that somebody compared the master key that is there now. A key of a
// changed identity is accepted with it.
func (k Known) Verify() Known {
	k.Pinned, k.Verified = k.Master, k.Master
	return k
}

// Compared reports that somebody compared the master key that is there now.
func (k Known) Compared() bool { return !k.IsZero() && k.Verified == k.Master }

// Trust is what is known of who is behind an identity or a device. More is better.
type Trust int

const (
	// Unsigned: no identity that is there now vouches for the device.
	Unsigned Trust = iota
	// CrossSigned: the device's user signed it, whoever that is.
	CrossSigned
	// Verified: and somebody verified that the user is who they say ([Known.IsVerified]).
	Verified
)

// String is a word.
func (t Trust) String() string {
	switch t {
	case Unsigned:
		return "unsigned"
	case CrossSigned:
		return "cross-signed"
	case Verified:
		return "verified"
	}
	return "?"
}

// trusted reports whether others may be verified by the own identity: somebody
// verified it, or the own device signed it. That it was seen first is nothing.
func (k Known) trusted() bool {
	return !k.IsZero() && !k.Changed() && (k.Compared() || k.SignedHere)
}

// IsVerified reports whether somebody verified the identity: the user of the own
// device did that here, or elsewhere with the own user-signing key. Until the own
// identity is trusted nobody is verified; whom somebody compared before that is from
// then on. Own is that of the own user, which may be the same.
func (k Known) IsVerified(own Known) bool {
	if k.IsZero() || k.Changed() || !own.trusted() {
		return false
	}
	vouched := k.VouchedBy != (account.VerifyKey{}) && k.VouchedBy == own.UserSigning
	return k.User == own.User || k.Compared() || vouched
}

// Of is what is known of a device of the user. A change of the identity that nobody
// accepted takes all trust from its devices.
func (k Known) Of(d Device, own Known) Trust {
	chain := !k.IsZero() && d.User == k.User && d.SignedBy != (account.VerifyKey{}) && d.SignedBy == k.SelfSigning
	switch {
	case !chain || k.Changed():
		return Unsigned
	case k.IsVerified(own):
		return Verified
	}
	return CrossSigned
}
