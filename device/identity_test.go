package device_test

import (
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
)

// TestIdentityChain: a device is cross-signed when the whole chain holds, and the
// same chain says nothing about a key that its master did not sign.
func TestIdentityChain(t *testing.T) {
	w := newWorld(t)
	a, stranger := w.account(alice, "PHONE"), w.account(alice, "STRANGER")
	i := w.identity(alice)
	q := newAnswer().device(alice, "PHONE", w.signedBy(w.keysOf(a), alice, i.self)).device(alice, "STRANGER", w.keysOf(stranger))
	q.Masters[alice], q.Selfs[alice] = i.masterKey(), w.selfKey(i)
	got := w.answerOf(q, device.Own{}, alice).Users[0]
	if len(got.Refused) > 0 || len(got.Claims) != 2 {
		t.Fatalf("%+v", got)
	}
	if got.Claims[0].SignedBy != i.self.Public() || got.Claims[1].SignedBy != (account.VerifyKey{}) {
		t.Errorf("the devices are signed by %v and %v", got.Claims[0].SignedBy, got.Claims[1].SignedBy)
	}
	known, changed := device.Known{}.See(got.Identity)
	if changed || known.Changed() {
		t.Error("the first identity is a change")
	}
	for n, want := range []device.Trust{device.CrossSigned, device.Unsigned} {
		if trust := known.Of(device.Device{Claim: got.Claims[n]}, device.Known{}); trust != want {
			t.Errorf("device %d is %v, want %v", n, trust, want)
		}
	}

	// A self-signing key that another master signed is none.
	q.Selfs[alice] = w.signedBy(keyObject(alice, "self_signing", i.self), alice, w.key())
	got = w.answerOf(q, device.Own{}, alice).Users[0]
	if len(got.Refused) != 1 || got.Claims[0].SignedBy != (account.VerifyKey{}) || got.Identity.IsZero() {
		t.Errorf("with a self-signing key of somebody else: %+v", got)
	}
	// A master key of somebody else is no identity, and nothing hangs on it.
	q.Masters[alice], q.Selfs[alice] = w.identity(bob).masterKey(), w.selfKey(i)
	got = w.answerOf(q, device.Own{}, alice).Users[0]
	if len(got.Refused) != 1 || !got.Identity.IsZero() || got.Claims[0].SignedBy != (account.VerifyKey{}) {
		t.Errorf("with bob's master key: %+v", got)
	}
	for what, change := range map[string]func(object){
		"for another usage":     func(o object) { o["usage"] = []any{"self_signing"} },
		"with two keys":         func(o object) { k := i.self.Public().String(); o["keys"].(object)["ed25519:"+k] = k },
		"with a name for a key": func(o object) { o["keys"] = object{"ed25519:PHONE": i.master.Public().String()} },
		"with another id":       func(o object) { o["keys"] = object{"ed25519:X": i.master.Public().String()} },
		"with no key":           func(o object) { o["keys"] = object{} },
	} {
		master := i.masterKey()
		change(master)
		q.Masters[alice] = master
		if got = w.answerOf(q, device.Own{}, alice).Users[0]; !got.Identity.IsZero() || len(got.Refused) != 1 {
			t.Errorf("a master key %s: %+v", what, got)
		}
	}
}

// TestVerified: nobody is verified by being seen, however consistent it is: a
// server can invent all of it.
func TestVerified(t *testing.T) {
	w := newWorld(t)
	phone := w.account(alice, "PHONE")
	mine, his := w.identity(alice), w.identity(bob)
	own := device.Own{Name: device.Name{User: alice, Device: "PHONE"}, Ed25519: phone.Fingerprint()}
	q := newAnswer().device(alice, "", nil).device(bob, "", nil)
	q.Masters[alice], q.Selfs[alice], q.Users[alice] = mine.masterKey(), w.selfKey(mine), w.userKey(mine)
	q.Masters[bob], q.Selfs[bob] = w.signedBy(his.masterKey(), alice, mine.userSigning), w.selfKey(his)
	see := func(own device.Own) (device.Known, device.Known) {
		t.Helper()
		users := w.answerOf(q, own, alice, bob).Users
		a, _ := device.Known{}.See(users[0].Identity)
		b, _ := device.Known{}.See(users[1].Identity)
		return a, b
	}
	me, _ := see(own)
	own.Identity = me.Identity
	me, him := see(own)
	if him.VouchedBy != mine.userSigning.Public() {
		t.Fatalf("bob's key is vouched for by %v", him.VouchedBy)
	}
	if me.IsVerified(me) || him.IsVerified(me) {
		t.Error("who was only seen is verified")
	}
	if me = me.Verify(); !me.IsVerified(me) || !him.IsVerified(me) {
		t.Error("with the own identity verified, bob is not")
	}
	compared := device.Known{Identity: him.Identity, Pinned: him.Master}.Verify()
	if compared.VouchedBy = (account.VerifyKey{}); !compared.IsVerified(me) || compared.IsVerified(device.Known{}) {
		t.Error("bob, who was compared here, is verified by the own identity alone")
	}

	// The own device's signature is an act of the own device.
	q.Masters[alice] = w.sign(mine.masterKey(), alice, "PHONE", phone.SigningKey())
	if me, him = see(own); !me.IsVerified(me) || !him.IsVerified(me) {
		t.Error("with the own device's signature nobody is verified")
	}
	forged := w.sign(mine.masterKey(), alice, "PHONE", w.key())
	q.Masters[alice] = forged
	if me, him = see(own); me.IsVerified(me) || him.IsVerified(me) {
		t.Error("another's signature under the own device's name counts")
	}

	// The own user-signing key vouches for others, not for its own master.
	q.Masters[alice] = w.signedBy(mine.masterKey(), alice, mine.userSigning)
	if me, _ = see(own); me.VouchedBy != (account.VerifyKey{}) || me.IsVerified(me) {
		t.Error("the own identity vouches for itself")
	}
	if (device.Known{}).IsVerified(device.Known{}) || (device.Known{Identity: device.Identity{User: bob}}).IsVerified(me) {
		t.Error("who has no identity is verified")
	}
	nobody := device.Known{Identity: device.Identity{User: bob, Master: his.master.Public()}, Pinned: his.master.Public()}
	if got := nobody.Of(device.Device{Claim: device.Claim{Keys: device.Keys{Name: device.Name{User: bob}}}}, me); got != device.Unsigned {
		t.Errorf("without a self-signing key an unsigned device is %v", got)
	}
	changed := device.Known{Identity: him.Identity, Pinned: mine.master.Public(), Verified: him.Master}
	if changed.IsVerified(me) {
		t.Error("a change that nobody accepted is verified")
	}

	// Others' user-signing keys are not ours to see, and vouch for nobody.
	q.Users[bob] = w.userKey(his)
	if _, him = see(own); him.UserSigning != (account.VerifyKey{}) {
		t.Error("bob's user-signing key was taken")
	}
}

// TestChangedIdentity: a change is a state until it is accepted, and takes all trust
// until then; accepted is not verified.
func TestChangedIdentity(t *testing.T) {
	w := newWorld(t)
	phone := w.account(bob, "PHONE")
	first, second := w.identity(bob), w.identity(bob)
	see := func(k device.Known, i identity) (device.Known, device.Device, bool) {
		q := newAnswer().device(bob, "PHONE", w.signedBy(w.keysOf(phone), bob, i.self))
		q.Masters[bob], q.Selfs[bob] = i.masterKey(), w.selfKey(i)
		a := w.answerOf(q, device.Own{}, bob).Users[0]
		k, changed := k.See(a.Identity)
		return k, device.Device{Claim: a.Claims[0]}, changed
	}
	known, d, _ := see(device.Known{}, first)
	known = known.Verify()
	me := device.Known{Identity: device.Identity{User: alice, Master: account.VerifyKey{1}}}.Verify()
	if got := known.Of(d, me); got != device.Verified {
		t.Errorf("first it is %v", got)
	}
	known, d, changed := see(known, second)
	if !changed || !known.Changed() || known.Of(d, me) != device.Unsigned || known.IsVerified(me) {
		t.Errorf("a change is %v, %+v", changed, known)
	}
	if back, _, changed := see(known, first); !changed || back.Changed() || !back.IsVerified(me) {
		t.Error("the pinned key came back, and it is not as it was")
	}
	if _, again := known.See(device.Identity{User: bob}); again {
		t.Error("no keys at all are a change")
	}
	if known = known.Accept(); known.Changed() || known.Of(d, me) != device.CrossSigned {
		t.Errorf("accepted it is %v", known.Of(d, me))
	}
}
