package devices_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// query asks for users and applies what the server says.
func (p *process) query(s *server, users ...matrix.UserID) {
	p.t.Helper()
	r := p.ask(users...)
	p.must(p.box.MarkSent(p.context(), r.ID, s.answer(p.asks(r)...)))
	p.answers(s)
}

// verified fails unless users are verified, and their devices trusted, as said.
func (p *process) verified(when string, want map[matrix.UserID]device.Trust) {
	p.t.Helper()
	for user, trust := range want {
		shown := p.show(user)
		if shown.Verified != (trust == device.Verified) {
			p.t.Errorf("%s: %s is verified: %v", when, user, shown.Verified)
		}
		if len(shown.Devices) == 0 {
			p.t.Errorf("%s: %s has no devices", when, user)
		}
		for _, d := range shown.Devices {
			if d.Trust != trust {
				p.t.Errorf("%s: device %s of %s is %v, want %v", when, d.Device.Device, user, d.Trust, trust)
			}
		}
	}
}

// TestServerInventsIdentities: a server that invents cross-signing keys of the own
// user, and a device that they sign, and with them vouches for another user, has
// nobody verified. Nor does it with keys after those of the user were seen, and
// verified.
func TestServerInventsIdentities(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	for _, person := range []*person{s.person(alice), s.person(bob)} {
		person.crossSign()
		person.device("INVENTED")
	}
	vouch := func() {
		b := s.person(bob)
		b.masterObject = w.sign(keyObject(bob, "master", b.master), alice, s.person(alice).userSigning)
	}
	vouch()
	p.query(s, alice, bob)
	nobody := map[matrix.UserID]device.Trust{alice: device.CrossSigned, bob: device.CrossSigned}
	p.verified("invented", nobody)
	p.query(s, alice, bob) // now that the own user-signing key is known
	p.verified("again", nobody)

	// The user's own keys, verified, and then others of the server's.
	w = newWorld(t, kv.Embedded())
	p, s = w.first, w.server()
	a := s.person(alice)
	a.crossSign()
	a.device("TABLET")
	p.query(s, alice)
	w.must(devices.Verify(t.Context(), p.account, alice, a.master.Public()))
	p.verified("verified", map[matrix.UserID]device.Trust{alice: device.Verified})
	a.crossSign()
	a.device("INVENTED")
	s.person(bob).crossSign()
	s.person(bob).device("B")
	vouch()
	p.query(s, alice, bob)
	if shown := p.show(alice); !shown.Identity.Changed() || shown.Verified {
		t.Errorf("after a change: %+v", shown)
	}
	p.verified("changed", map[matrix.UserID]device.Trust{alice: device.Unsigned, bob: device.CrossSigned})
	w.must(devices.Accept(t.Context(), p.account, alice, a.master.Public()))
	if shown := p.show(alice); shown.Identity.Changed() || shown.Verified || p.live(alice)["INVENTED"] != device.CrossSigned || p.live(bob)["B"] != device.CrossSigned {
		t.Errorf("after it was accepted: %+v", shown)
	}
}

// TestVouching: others are verified whom the own user-signing key signed, once the
// own identity is trusted: verified here, or signed by the own device.
func TestVouching(t *testing.T) {
	for name, trust := range map[string]func(w *world, p *process, a *person){
		"verified": func(w *world, p *process, a *person) {
			w.must(devices.Verify(t.Context(), p.account, alice, a.master.Public()))
		},
		"signed": func(w *world, p *process, a *person) {
			raw, err := json.Marshal(a.masterObject)
			w.must(err)
			signed, err := devices.Sign(t.Context(), p.account, raw)
			w.must(err)
			if err := account.VerifyJSON(signed, alice, "OWN", w.own.Fingerprint()); err != nil {
				t.Error(err)
			}
			a.masterObject = w.parsed(signed)
		},
	} {
		w := newWorld(t, kv.Embedded())
		p, s := w.first, w.server()
		a, b := s.person(alice), s.person(bob)
		a.crossSign()
		a.take(w.own)
		b.crossSign()
		b.masterObject = w.sign(b.masterObject, alice, a.userSigning)
		b.device("B")
		s.person(carol).crossSign()
		s.person(carol).device("C")
		p.query(s, bob) // before the own identity is known
		p.query(s, alice, carol)
		p.verified(name+", before", map[matrix.UserID]device.Trust{alice: device.CrossSigned, bob: device.CrossSigned, carol: device.CrossSigned})
		trust(w, p, a)
		p.query(s, alice)
		p.verified(name, map[matrix.UserID]device.Trust{alice: device.Verified, bob: device.Verified, carol: device.CrossSigned})
		w.must(devices.Verify(t.Context(), p.account, carol, s.person(carol).master.Public()))
		p.verified(name+", carol too", map[matrix.UserID]device.Trust{carol: device.Verified})
		b.crossSign()
		b.device("B2")
		p.query(s, bob)
		p.verified(name+", bob changed", map[matrix.UserID]device.Trust{bob: device.Unsigned})
		w.must(devices.Accept(t.Context(), p.account, bob, b.master.Public()))
		if live := p.live(bob); live["B"] != device.Unsigned || live["B2"] != device.CrossSigned {
			t.Errorf("%s: bob's change is accepted: %v", name, live)
		}
	}
}

// TestOrdersOfActs: in whichever order the identities of the own user and another one
// come, are verified and change, in a store, nobody is verified until the own master key
// that is there is, and then those whose master key somebody compared, before or after
// that. Each time that somebody is verified or is so no more, rooms are marked: whom
// strategies let have a key is looked at again.
func TestOrdersOfActs(t *testing.T) {
	const room = matrix.RoomID("!room:example.org")
	type act struct {
		of   matrix.UserID
		does string
	}
	all := []act{{alice, "comes"}, {alice, "is verified"}, {bob, "comes"}, {bob, "is verified"}, {alice, "changes"}}
	if testing.Short() {
		all = all[:4]
	}
	ends := map[[2]bool]int{}
	play := func(order []act) {
		w := newWorld(t, kv.Embedded())
		p, s := w.first, w.server()
		p.enrol(map[matrix.UserID]matrix.RoomID{bob: room})
		phones := map[matrix.UserID]account.Account{alice: s.person(alice).device("B"), bob: s.person(bob).device("B")}
		p.query(s, alice, bob)
		// The oracle: the master key that was seen, the one that was compared.
		seen, compared := map[matrix.UserID]account.VerifyKey{}, map[matrix.UserID]account.VerifyKey{}
		changed := map[matrix.UserID]bool{}
		told := ""
		was := [2]bool{}
		for _, a := range order {
			told += string(a.of) + " " + a.does + "; "
			before := p.marks(room)
			switch person := s.person(a.of); a.does {
			case "comes", "changes":
				person.crossSign()
				person.take(phones[a.of])
				_, again := seen[a.of]
				seen[a.of], changed[a.of] = person.master.Public(), again
				p.query(s, a.of)
			default:
				var master account.VerifyKey // of nobody who has none
				if person.crossSigned {
					master = person.master.Public()
				}
				err := devices.Verify(t.Context(), p.account, a.of, master)
				if k, there := seen[a.of]; !there {
					if !errors.Is(err, devices.ErrIdentity) {
						t.Errorf("%s%v", told, err)
					}
				} else if w.must(err); true {
					compared[a.of], changed[a.of] = k, false
				}
			}
			verified := func(u matrix.UserID) bool {
				k, there := seen[u]
				return there && compared[u] == k && !changed[u]
			}
			is := [2]bool{verified(alice), verified(alice) && verified(bob)}
			for i, u := range []matrix.UserID{alice, bob} {
				if got := p.show(u); got.Verified != is[i] || (p.live(u)["B"] == device.Verified) != is[i] {
					t.Errorf("%s%s is verified: %v, and its device %v, want %v", told, u, got.Verified, p.live(u)["B"], is[i])
				}
			}
			if after := p.marks(room); is != was && slices.Equal(before, after) {
				t.Errorf("%sverified were %v and are %v, and no room was marked", told, was, is)
			}
			was = is
		}
		ends[was]++
	}
	var orders func(done, left []act)
	orders = func(done, left []act) {
		if len(left) == 0 {
			play(done)
		}
		for i, a := range left {
			orders(append(slices.Clip(done), a), append(slices.Clone(left[:i]), left[i+1:]...))
		}
	}
	orders(nil, all)
	if ends[[2]bool{true, true}] == 0 || ends[[2]bool{true, false}] == 0 || ends[[2]bool{}] == 0 {
		t.Errorf("orders by who is verified in the end: %v", ends)
	}
}

// TestInventedKeysAskNothing: a server that invents another user-signing key in every
// answer has no queries made by that.
func TestInventedKeysAskNothing(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	s.person(bob).device("B")
	p.query(s, bob)
	for range 3 {
		s.person(alice).crossSign()
		r := p.ask(alice)
		w.must(p.box.MarkSent(t.Context(), r.ID, s.answer(alice)))
		if more := p.outgoing(); len(more) > 0 {
			t.Errorf("asks for %v", w.asks(more[0]))
		}
	}
}

// TestJudgedKey: only the master key that is there can be judged.
func TestJudgedKey(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	for _, judge := range []func(matrix.UserID, account.VerifyKey) error{
		func(u matrix.UserID, k account.VerifyKey) error { return devices.Accept(t.Context(), p.account, u, k) },
		func(u matrix.UserID, k account.VerifyKey) error { return devices.Verify(t.Context(), p.account, u, k) },
	} {
		if err := judge(carol, account.VerifyKey{}); !errors.Is(err, devices.ErrIdentity) {
			t.Errorf("of nobody: %v", err)
		}
		b := s.person(bob)
		b.crossSign()
		b.device("B")
		p.query(s, bob)
		old := b.master.Public()
		b.crossSign()
		p.query(s, bob)
		before := w.dump()
		if err := judge(bob, old); !errors.Is(err, devices.ErrIdentity) {
			t.Errorf("of a key that was replaced: %v", err)
		}
		if len(before) != len(w.dump()) || !p.show(bob).Identity.Changed() {
			t.Error("and that changed something")
		}
		w.must(judge(bob, b.master.Public()))
		if p.show(bob).Identity.Changed() {
			t.Error("a change is there still")
		}
	}
}

// TestOwnSignature: what is sent beside messages has the signature of the own
// self-signing key while that is the user's, and no other.
func TestOwnSignature(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	a := s.person(alice)
	keys := func() []byte {
		t.Helper()
		raw, err := txn.View(t.Context(), p.account.DB, func(tx *txn.Tx) (json.RawMessage, error) { return records.OwnDeviceKeys(tx, w.own) })
		w.must(err)
		if _, err := device.ParseKeys(device.Name{User: alice, Device: "OWN"}, raw); err != nil {
			t.Errorf("%s: %v", raw, err)
		}
		return raw
	}
	plain, err := w.own.DeviceKeys()
	w.must(err)
	if got := keys(); string(got) != string(plain) {
		t.Errorf("before: %s", got)
	}
	a.crossSign()
	a.take(w.own)
	p.query(s, alice)
	name := matrix.DeviceID(a.self.Public().String())
	if err := account.VerifyJSON(keys(), alice, name, a.self.Public()); err != nil {
		t.Errorf("signed: %v", err)
	}
	// A signature on something else than the own device.
	for _, change := range []func(object) object{
		func(o object) object { o["more"] = "x"; return w.signAs(o, alice, "OWN", w.own.Sign) },
	} {
		a.crossSign()
		raw, err := w.own.DeviceKeys()
		w.must(err)
		a.devices["OWN"] = w.sign(change(w.parsed(raw)), alice, a.self)
		p.query(s, alice)
		if got := keys(); string(got) != string(plain) {
			t.Errorf("a signature on something else: %s", got)
		}
	}
	a.crossSign()
	a.take(w.own)
	p.query(s, alice)
	if err := account.VerifyJSON(keys(), alice, matrix.DeviceID(a.self.Public().String()), a.self.Public()); err != nil {
		t.Errorf("signed by another key: %v", err)
	}
	w.damage("/own-signature")
	if got := keys(); string(got) != string(plain) {
		t.Errorf("damaged: %s", got)
	}
}

// TestSign: what has no canonical form is not signed.
func TestSign(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	for _, raw := range []string{"", "[]", `{"a":1.5}`, `{"a":1,"a":2}`} {
		if signed, err := devices.Sign(t.Context(), w.first.account, []byte(raw)); err == nil {
			t.Errorf("%s is signed: %s", raw, signed)
		}
	}
	other, err := account.GenerateSigningKey(rand.Reader)
	w.must(err)
	o := w.sign(object{"b": 1, "unsigned": object{"c": 2}}, bob, other)
	raw, err := json.Marshal(o)
	w.must(err)
	signed, err := devices.Sign(t.Context(), w.first.account, raw)
	w.must(err)
	if err := account.VerifyJSON(signed, bob, matrix.DeviceID(other.Public().String()), other.Public()); err != nil {
		t.Errorf("the other's signature: %v", err)
	}
	if err := account.VerifyJSON(signed, alice, "OWN", w.own.Fingerprint()); err != nil {
		t.Error(err)
	}
}
