package devices_test

import (
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// marks are how often rooms were marked, and all rooms.
func (p *process) marks(rooms ...matrix.RoomID) (all []uint64) {
	p.t.Helper()
	p.do(func(tx *txn.Tx, _ account.Account) error {
		all = nil
		for _, id := range rooms {
			r, _, err := records.ReadRoom(tx, id)
			if err != nil {
				return err
			}
			all = append(all, r.Changed)
		}
		everywhere, _, err := records.Everywhere(tx)
		all = append(all, everywhere)
		return err
	})
	return all
}

// enrol puts users into rooms.
func (p *process) enrol(rooms map[matrix.UserID]matrix.RoomID) {
	p.t.Helper()
	for user, room := range rooms {
		p.do(func(tx *txn.Tx, _ account.Account) error {
			if err := records.Rooms.Put(tx, records.Room{ID: room}); err != nil {
				return err
			}
			return records.Enrol(tx, user, room)
		})
	}
}

// TestMarkedRooms: whatever changes with which devices of a user a key is to be
// shared marks the user's rooms, what changes the own identity marks all, and what
// changes neither marks none.
func TestMarkedRooms(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	const one, two = matrix.RoomID("!one:example.org"), matrix.RoomID("!two:example.org")
	p.enrol(map[matrix.UserID]matrix.RoomID{bob: one, carol: two})
	b := s.person(bob)
	phone := b.device("PHONE")
	unsigned := func(name string) { b.devices["PHONE"]["unsigned"] = object{"device_display_name": name} }
	for _, step := range []struct {
		name               string
		do                 func()
		marked, everywhere bool
	}{
		{"a device comes", func() {}, true, false},
		{"nothing changes", func() {}, false, false},
		{"a device has another name", func() { unsigned("phone") }, false, false},
		{"a device goes", func() { delete(b.devices, "PHONE") }, true, false},
		{"it is gone", func() {}, false, false},
		{"it comes back", func() { b.take(phone) }, true, false},
		{"one is refused", func() { b.devices["BAD"] = object{} }, false, false},
		{"an identity comes", func() { b.crossSign() }, true, false},
		{"a device is signed", func() { b.take(phone) }, true, false},
		{"the identity is another", func() { b.crossSign() }, true, false},
		{"it is accepted", func() { w.must(devices.Accept(t.Context(), p.account, bob, b.master.Public())) }, true, false},
		{"again", func() { w.must(devices.Accept(t.Context(), p.account, bob, b.master.Public())) }, false, false},
		{"it is verified", func() { w.must(devices.Verify(t.Context(), p.account, bob, b.master.Public())) }, true, false},
		{"the own identity comes", func() { s.person(alice).crossSign() }, false, true},
		{"it is verified", func() { w.must(devices.Verify(t.Context(), p.account, alice, s.person(alice).master.Public())) }, false, true},
		{"it is another", func() { s.person(alice).crossSign() }, false, true},
	} {
		first := p.marks(one, two)
		step.do()
		done := p.marks(one, two)
		r := p.ask(alice, bob) // to hear of a change marks too
		asked := p.marks(one, two)
		w.must(p.box.MarkSent(t.Context(), r.ID, s.answer(w.asks(r)...)))
		last := p.marks(one, two)
		marked := func(i int) bool { return first[i] != done[i] || asked[i] != last[i] }
		if marked(0) != step.marked || marked(1) || marked(2) != step.everywhere {
			t.Errorf("%s: marks were %v and are %v, and with the answer %v and %v", step.name, first, done, asked, last)
		}
	}
}

// TestMarkedBySettling: whoever gains or loses a device with the end of a dispute has
// the rooms marked.
func TestMarkedBySettling(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	const one, two = matrix.RoomID("!one:example.org"), matrix.RoomID("!two:example.org")
	phone := s.person(bob).device("PHONE")
	thief := s.person(carol).taking("THIEF", phone)
	p.enrol(map[matrix.UserID]matrix.RoomID{bob: one, carol: two})
	p.query(s, bob, carol)
	before := p.marks(one, two)
	p.do(func(tx *txn.Tx, _ account.Account) error {
		return devices.Prove(tx, phone.Identity(), name(carol, ""), phone.Fingerprint())
	})
	if after := p.marks(one, two); after[0] != before[0] || after[1] != before[1] {
		t.Errorf("nothing is proved: marks were %v and are %v", before, after)
	}
	p.do(func(tx *txn.Tx, _ account.Account) error {
		return devices.Prove(tx, phone.Identity(), name(carol, "THIEF"), thief)
	})
	if after := p.marks(one, two); after[0] == before[0] || after[1] == before[1] {
		t.Errorf("a dispute is settled: marks were %v and are %v", before, after)
	}
}

// TestMarkedBySignature: the commit in which the own device becomes a cross-signed one,
// by which other devices are given keys than before, marks all rooms, whoever is killed
// after it.
func TestMarkedBySignature(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	a := s.person(alice)
	a.take(w.own)
	a.crossSign()
	p.query(s, alice)
	signed := func() (there bool) {
		t.Helper()
		p.do(func(tx *txn.Tx, _ account.Account) (err error) {
			_, there, err = records.OwnSignature.Get(tx)
			return err
		})
		return there
	}
	if signed() {
		t.Fatal("the own device is signed before it is")
	}
	a.take(w.own)
	r := p.ask(alice)
	before := p.marks()
	p.engine.left = 1
	if err := p.box.MarkSent(t.Context(), r.ID, s.answer(alice)); err == nil {
		t.Fatal("nobody was killed")
	}
	p.engine.left = -1
	if after := p.marks(); !signed() || after[0] == before[0] {
		t.Errorf("signed %v: all rooms were marked %d times and are %d times", signed(), before[0], after[0])
	}
}
