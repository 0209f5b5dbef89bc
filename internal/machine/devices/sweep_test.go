package devices_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/lineage"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

func (p *process) sweep() {
	p.t.Helper()
	_, err := upkeep.Sweep(p.context(), p.account, records.Kinds(), p.clock.now())
	p.must(err)
	if found := p.broken(); len(found) > 0 {
		p.t.Errorf("after a sweep check finds %q", found)
	}
}

// TestSweptUsers: who left long ago is forgotten, but for devices with which there
// are sessions, and identities that somebody verified. Who has nothing to do with us
// has left with the next sweep.
func TestSweptUsers(t *testing.T) {
	w := newWorld(t, kv.Floor())
	p, s := w.first, w.server()
	const member, verified, idle = matrix.UserID("@member:example.org"), matrix.UserID("@verified:example.org"), matrix.UserID("@idle:example.org")
	all := []matrix.UserID{bob, carol, member, verified, idle}
	for _, user := range all {
		s.person(user).crossSign()
		s.person(user).device("ONE")
	}
	for i := range 60 {
		s.person(carol).device(nameOf(i))
	}
	peer := s.person(bob).device("MET")
	s.person(alice).take(w.own)
	p.query(s, append(all, alice)...)
	w.must(devices.Verify(t.Context(), p.account, verified, s.person(verified).master.Public()))
	p.do(func(tx *txn.Tx, _ account.Account) error {
		return records.Peers.Put(tx, session.NewPeer(peer.Identity()).Rated(session.Acquainted))
	})
	p.do(func(tx *txn.Tx, _ account.Account) error {
		const room = "!room:example.org"
		return errors.Join(records.Rooms.Put(tx, records.Room{ID: room}), records.Enrol(tx, member, room))
	})
	p.leave(carol, bob)
	p.sweep()
	for user, left := range map[matrix.UserID]bool{alice: false, bob: true, carol: true, member: false, verified: true, idle: true} {
		if got := !p.show(user).Tracking.Left.IsZero(); got != left {
			t.Errorf("%s has left: %v", user, got)
		}
		if len(p.show(user).Devices) == 0 {
			t.Errorf("%s is forgotten at once", user)
		}
	}
	w.later(181 * 24 * time.Hour)
	p.track(idle) // came back in time
	p.sweep()
	for user, kept := range map[matrix.UserID]int{alice: 1, bob: 1, carol: 0, member: 1, verified: 0} {
		if got := len(p.show(user).Devices); got != kept {
			t.Errorf("%s has %d devices, want %d", user, got, kept)
		}
	}
	if p.show(carol).Identity.IsZero() == false || p.show(bob).Identity.IsZero() || p.show(verified).Identity.IsZero() {
		t.Error("identities that were kept are not those that somebody needs")
	}
	if keys := w.keysOf("owner"); len(keys) != 4 {
		t.Errorf("%d owners of keys are left", len(keys))
	}
	// A clock that was ahead.
	p.leave(member)
	w.clock.add(-300 * 24 * time.Hour)
	p.sweep()
	w.later(170 * 24 * time.Hour)
	p.sweep()
	if len(p.show(member).Devices) != 1 {
		t.Error("who left by a clock that was ahead is forgotten early")
	}
	w.later(11 * 24 * time.Hour)
	p.sweep()
	if len(p.show(member).Devices) != 0 {
		t.Error("who left by a clock that was ahead is not forgotten")
	}
}

// TestRecoveredUsers: after a recovery everybody is asked for again.
func TestRecoveredUsers(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	s.person(bob).device("B")
	p.query(s, bob)
	if _, err := lineage.Recover(t.Context(), p.account, records.Kinds()); err != nil {
		t.Fatal(err)
	}
	if p.state(bob) != devices.Awaited {
		t.Errorf("bob is %v", p.state(bob))
	}
	if n := p.answers(s); n != 1 || p.state(bob) != devices.Current || p.live(bob)["B"] != device.Unsigned {
		t.Errorf("%d requests, then bob is %v", n, p.state(bob))
	}
}
