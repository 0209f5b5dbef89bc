package rooms_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// TestUnreachable: whose server does not answer holds nobody up after one try, is
// told once, and is given the key when there is a session.
func TestUnreachable(t *testing.T) {
	w := newWorld(t)
	w.add(carol, "C1")
	dead := w.add(bob, "B1")
	clear(dead.oneTime)
	w.down[dave] = true
	w.add(dave, "D1")
	h := w.handle()
	h.shareAll(bob, carol, dave)
	e := h.mustEncrypt("without bob and dave")
	w.wantReaders(e, "C1")
	h.sendAll()
	if fmt.Sprint(dead.notices) != "[m.no_olm]" {
		t.Errorf("bob was told %q", dead.notices)
	}
	must(t, h.rooms.Rotate(t.Context(), room))
	h.shareAll(bob, carol, dave)
	h.sendAll()
	if fmt.Sprint(dead.notices) != "[m.no_olm]" {
		t.Errorf("in another session bob was told %q", dead.notices)
	}
	// Both come back.
	w.refill(dead)
	w.down[dave] = false
	w.now = w.now.Add(20 * time.Minute)
	for range 3 {
		h.share(bob, carol, dave)
		h.sendAll()
	}
	h.shareAll(bob, carol, dave)
	w.wantReaders(h.mustEncrypt("with all"), "B1", "C1", "D1")
}

// TestReachedLater: as soon as a device that was not reached has answered, in whichever
// process, the next call gives it the key.
func TestReachedLater(t *testing.T) {
	w := newWorld(t)
	w.add(carol, "C1")
	dead := w.add(bob, "B1")
	clear(dead.oneTime)
	h, other := w.handle(), w.handle()
	h.shareAll(bob, carol)
	h.sendAll() // that there is no session with bob
	w.refill(dead)
	w.now = w.now.Add(15 * time.Minute)
	if s := h.share(bob, carol); !s.Done || len(s.Requests) != 1 {
		t.Fatalf("asking again: %+v", s)
	}
	if s := other.share(bob, carol); !s.Done {
		t.Fatalf("the other process waits for who was not reached: %+v", s)
	}
	w.wantReaders(other.mustEncrypt("while it is asked for"), "C1")
	other.sendAll()
	h.shareAll(bob, carol)
	w.wantReaders(h.mustEncrypt("with both"), "B1", "C1")
	if s := h.share(bob, carol); !s.Done || len(s.Requests) > 0 {
		t.Errorf("then there is more to do: %+v", s)
	}
}

// TestRefused: a request that the server does not take holds nobody up, and its
// devices are tried again later.
func TestRefused(t *testing.T) {
	for name, limits := range map[string][]memkv.Option{"large commits": nil, "small ones": {atFloor()}} {
		w := newWorld(t, limits...)
		w.add(bob, "B1")
		h := w.handle()
		w.refused[bob] = true
		h.shareAll(bob)
		e := h.mustEncrypt("nobody reads it")
		w.wantReaders(e)
		if s := h.share(bob); !s.Done || len(s.Requests) > 0 {
			t.Errorf("%s: it is tried again at once: %+v", name, s)
		}
		w.refused[bob] = false
		w.now = w.now.Add(16 * time.Minute)
		if s := h.share(bob); len(s.Requests) == 0 {
			t.Errorf("%s: it is not tried again: %+v", name, s)
		}
		h.shareAll(bob)
		again := h.mustEncrypt("bob reads it")
		w.wantReaders(again, "B1")
		if again.session != e.session {
			t.Errorf("%s: another session", name)
		}
		// It may have arrived: when the device goes there is another session.
		w.peers[device.Name{User: bob, Device: "B1"}].gone = true
		h.changes(bob)
		h.shareAll(bob)
		if last := h.mustEncrypt("without bob"); last.session == e.session {
			t.Errorf("%s: bob's device is gone, and the session is the same", name)
		}
	}
}

// TestStrategies: who may have the key, who is told why not, and a device that may
// not have it any more.
func TestStrategies(t *testing.T) {
	w := newWorld(t)
	w.add(bob, "B1")
	two := w.add(bob, "B2")
	h := w.handle()
	defer func(s rooms.Settings) { settings = s }(settings)
	allowed := map[matrix.DeviceID]bool{"B1": true, "B2": true}
	settings = rooms.Settings{Allow: func(c rooms.Candidate) bool { return allowed[c.Device.Device] }}
	h.shareAll(bob)
	first := h.mustEncrypt("to both")
	w.wantReaders(first, "B1", "B2")
	allowed["B2"] = false
	h.shareAll(bob)
	h.sendAll()
	second := h.mustEncrypt("to one")
	w.wantReaders(second, "B1")
	if fmt.Sprint(two.notices) != "[m.blacklisted]" {
		t.Errorf("B2 was told %q", two.notices)
	}
	allowed["B2"] = true
	h.shareAll(bob)
	third := h.mustEncrypt("to both again")
	w.wantReaders(third, "B1", "B2")
	if third.session != second.session {
		t.Error("a device that may have the key makes another session")
	}
	settings = rooms.Settings{Strategy: group.CrossSigned}
	h.shareAll(bob)
	h.sendAll()
	fourth := h.mustEncrypt("to nobody")
	w.wantReaders(fourth)
	if fmt.Sprint(two.notices) != "[m.blacklisted m.unverified]" {
		t.Errorf("B2 was told %q", two.notices)
	}
	for range 3 {
		h.share(bob)
		if n := h.sendAll(); n > 0 {
			t.Errorf("it is told again: %d requests", n)
		}
	}
}
