package devices_test

import (
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
)

// signature is that of a name on what was signed.
func (w *world) signature(signed object, user matrix.UserID, name string) account.Signature {
	w.t.Helper()
	text, _ := signed["signatures"].(object)[string(user)].(object)["ed25519:"+name].(string)
	s, err := account.ParseSignature(text)
	w.must(err)
	return s
}

// TestTakeSignature: a signature on a master key counts as one that an answer shows, and
// until the next answer; whatever does not say who is verified, or does not hold, changes
// nothing.
func TestTakeSignature(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	a, b := s.person(alice), s.person(bob)
	a.crossSign()
	a.take(w.own)
	b.crossSign()
	b.device("B")
	const room = "!room:example.org"
	p.query(s, alice, bob)
	p.enrol(map[matrix.UserID]matrix.RoomID{bob: room})
	masterA, masterB, vouching := a.master.Public(), b.master.Public(), a.userSigning.Public()
	onA := w.signAs(a.masterObject, alice, "OWN", w.own.Sign)
	onB := w.sign(b.masterObject, alice, a.userSigning)
	byDevice, byUser := w.signature(onA, alice, "OWN"), w.signature(onB, alice, vouching.String())
	bySelf := w.signature(w.sign(b.masterObject, alice, a.self), alice, a.self.Public().String())

	take := func(what string, user matrix.UserID, master, by account.VerifyKey, signature account.Signature, want bool) {
		t.Helper()
		if got, err := devices.TakeSignature(t.Context(), p.account, user, master, by, signature); err != nil || got != want {
			t.Errorf("%s: taken %v, %v; want %v", what, got, err, want)
		}
	}
	before := p.marks(room)[0]
	take("that of another object", bob, masterB, vouching, byDevice, false)
	take("by the self-signing key", bob, masterB, a.self.Public(), bySelf, false)
	take("on another master key", bob, masterA, vouching, byUser, false)
	take("of the own device on another's", bob, masterB, w.own.Fingerprint(), w.signature(w.signAs(b.masterObject, alice, "OWN", w.own.Sign), alice, "OWN"), false)
	take("by another key in the device's name", alice, masterA, a.self.Public(), w.signature(w.signAs(a.masterObject, alice, "OWN", a.self.Sign), alice, "OWN"), false)
	take("of whom nothing is known", carol, masterB, vouching, byUser, false)
	take("by no key", bob, masterB, account.VerifyKey{}, byUser, false)
	if now := p.marks(room)[0]; now != before {
		t.Errorf("the room is marked %d, and was %d", now, before)
	}
	take("the user-signing key's", bob, masterB, vouching, byUser, true)
	p.verified("before the own identity is trusted", map[matrix.UserID]device.Trust{alice: device.CrossSigned, bob: device.CrossSigned})
	if now := p.marks(room)[0]; now == before {
		t.Error("the room is not marked: it may be that bob is to have its key now")
	}
	take("the own device's", alice, masterA, w.own.Fingerprint(), byDevice, true)
	p.verified("both", map[matrix.UserID]device.Trust{alice: device.Verified, bob: device.Verified})
	marked := p.marks(room)[0]
	take("again", bob, masterB, vouching, byUser, true)
	if now := p.marks(room)[0]; now != marked {
		t.Errorf("again: the room is marked %d, and was %d", now, marked)
	}
	if found := p.broken(); len(found) > 0 {
		t.Errorf("broken: %v", found)
	}

	p.query(s, alice, bob) // to whom they were not uploaded
	p.verified("after an answer without them", map[matrix.UserID]device.Trust{alice: device.CrossSigned, bob: device.CrossSigned})
	a.masterObject, b.masterObject = onA, onB
	p.query(s, alice, bob)
	p.verified("after one with them", map[matrix.UserID]device.Trust{alice: device.Verified, bob: device.Verified})
}
