package device

import (
	"maps"
	"slices"
	"time"

	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// Device is a device as it is kept.
type Device struct {
	Claim
	Seen time.Time // when it was first in an answer
	Gone time.Time // since when answers leave it out; zero: it is there
	// Disputed: another device that came in the same answer claims the same
	// Curve25519 key, and neither has proved that it has it.
	Disputed bool
}

// Usable reports whether the device may be sent to.
func (d Device) Usable() bool { return d.Gone.IsZero() && !d.Disputed }

// Owner says whose a Curve25519 key is.
type Owner struct {
	Key      ratchet.PublicKey
	Claimers []Name // one, unless Open
	// Open: several claimed the key when it was new, and none has proved it.
	Open bool
}

// MaxClaimers bounds a dispute: whoever comes later is refused.
const MaxClaimers = 16

// Prove is what an Olm message proves whose payload names the Ed25519 key of one of
// those that dispute the Curve25519 key that sent it: the key is that device's, and
// the others go. It reports whether that ended a dispute. The caller has compared
// the Ed25519 key with that of the device.
func (o Owner) Prove(by Name) (proved Owner, lost []Name, ended bool) {
	if !o.Open || !slices.Contains(o.Claimers, by) {
		return o, nil, false
	}
	for _, c := range o.Claimers {
		if c != by {
			lost = append(lost, c)
		}
	}
	return Owner{Key: o.Key, Claimers: []Name{by}}, lost, true
}

// Joined is what an answer changes of one user's devices.
type Joined struct {
	Devices []Device // new and changed ones
	Owners  []Owner  // new and changed ones
	Refused []Refusal
}

// Join says what an answer changes. Known are all devices that are kept of the
// user, and owner finds whose a key is, as kept, with what earlier users of the
// same answer changed.
//
// A device that is known keeps its keys, and a key that is known keeps its device:
// what contradicts that is refused, and nothing is taken from anybody by a claim. A
// key that is new and claimed twice in one answer is disputed until one has proved
// it. A device that the answer leaves out is gone, not forgotten.
func (a Answers) Join(of Answer, known []Device, owner func(ratchet.PublicKey) (Owner, bool), now time.Time) Joined {
	j := Joined{Refused: of.Refused}
	present := map[Name]bool{}
	for _, r := range of.Refused {
		present[Name{r.User, r.Device}] = true // it is there; what is known of it stays
	}
	byName := map[Name]Device{}
	for _, d := range known {
		byName[d.Name] = d
	}
	for _, c := range of.Claims {
		present[c.Name] = true
		old, isKnown := byName[c.Name]
		switch {
		case !isKnown:
			j.admit(c, a.shared[c.Curve25519], owner, now)
		case old.Curve25519 != c.Curve25519 || old.Ed25519 != c.Ed25519:
			j.refuse(c, ErrChanged)
		case old.Claim != c || !old.Gone.IsZero():
			old.Claim, old.Gone = c, time.Time{}
			j.Devices = append(j.Devices, old)
		}
	}
	for _, d := range known {
		if !present[d.Name] && d.Gone.IsZero() {
			d.Gone = now
			j.Devices = append(j.Devices, d)
		}
	}
	return j
}

// Bound returns the answers as they are where it is known which user a Curve25519 key
// is of: a message in which its owner said so was decrypted. Claims of others, which
// the caller refuses, make no dispute.
func (a Answers) Bound(key ratchet.PublicKey, to matrix.UserID) Answers {
	claims := 0
	for _, u := range a.Users {
		for _, c := range u.Claims {
			if u.User == to && c.Curve25519 == key {
				claims++
			}
		}
	}
	a.shared = maps.Clone(a.shared)
	a.shared[key] = claims > 1
	return a
}

// admit takes a new device, unless its Curve25519 key is another's.
func (j *Joined) admit(c Claim, shared bool, owner func(ratchet.PublicKey) (Owner, bool), now time.Time) {
	o, owned := j.owner(c.Curve25519, owner)
	switch {
	case !owned:
		o = Owner{Key: c.Curve25519, Open: shared}
	case slices.Contains(o.Claimers, c.Name): // its own record was lost
		j.Devices = append(j.Devices, Device{Claim: c, Seen: now, Disputed: o.Open})
		return
	case !o.Open || !shared || len(o.Claimers) >= MaxClaimers:
		j.refuse(c, ErrTaken)
		return
	}
	o.Claimers = append(slices.Clip(o.Claimers), c.Name)
	j.Devices = append(j.Devices, Device{Claim: c, Seen: now, Disputed: o.Open})
	j.Owners = append(slices.DeleteFunc(j.Owners, func(old Owner) bool { return old.Key == o.Key }), o)
}

// owner is whose a key is, with what this answer changed before.
func (j *Joined) owner(key ratchet.PublicKey, kept func(ratchet.PublicKey) (Owner, bool)) (Owner, bool) {
	for _, o := range j.Owners {
		if o.Key == key {
			return o, true
		}
	}
	return kept(key)
}

func (j *Joined) refuse(c Claim, err error) {
	j.Refused = append(j.Refused, Refusal{c.User, c.Device, err})
}
