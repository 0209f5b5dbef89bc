package unwedge_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// gave stores a session of a room that the device sends in, or sent in, and that
// another was given at an index, in the session with it that is used now.
func (h *home) gave(to *home, room matrix.RoomID, index uint32, retired bool) group.SessionID {
	h.Helper()
	s, err := group.NewSender(rand.Reader)
	must(h, err)
	in, err := group.NewInbound(room, group.NewCopy(s.Key(), group.Source{Provenance: group.Direct, Sender: h.id.Curve25519, Claimed: h.id.Ed25519}))
	must(h, err)
	for range index + 2 {
		s, _, err = s.Encrypt([]byte("text"))
		must(h, err)
	}
	over := h.sessions(to)[0].ID()
	h.do(func(tx *txn.Tx) error {
		v, err := h.account.Active(tx)
		must(h, err)
		at, err := h.account.Moment(tx, v, 0)
		must(h, err)
		settings := group.Settings{Messages: 100, Age: time.Hour, Visibility: group.Shared, Strategy: group.AllDevices}
		out, err := group.NewOutbound(room, s, settings, at, 0)
		must(h, err)
		if retired {
			must(h, records.OldOutbound.Put(tx, out.Retire(group.Asked, h.now)))
		} else {
			must(h, records.Outbound.Put(tx, out))
		}
		must(h, records.GroupIns.Join(tx, in))
		return records.Shares.Put(tx, group.Share{
			Room: room, Session: s.ID(), User: to.name.User, Device: to.name.Device, Key: to.id.Curve25519,
			Outcome: group.Given, Index: index, Over: over, At: record.Moment{Time: at.Time, Order: at.Order},
		})
	})
	return s.ID()
}

// got are the sessions of rooms of which a device was sent the key, in order, and from
// which index, as far as it reads what waits for it.
func (w *world) got(to *home) (all []group.SessionID) {
	w.Helper()
	for _, e := range w.queues[to.name] {
		out := to.take(e)
		for _, k := range out.RoomKeys {
			all = append(all, k.Session)
		}
	}
	delete(w.queues, to.name)
	return all
}

// TestGivenAgain: over a new session a device is given what it was given since it was
// heard last, at its index, the newest first, and of sessions that are used no more too.
func TestGivenAgain(t *testing.T) {
	w := newWorld(t)
	phone, laptop := w.home(alice, "PHONE"), w.home(bob, "LAPTOP")
	w.meet(phone, laptop)
	w.later(2 * time.Hour)
	phone.gave(laptop, "!before:example.org", 0, false)
	laptop.say(phone, "hello")
	phone.sync()
	var want []group.SessionID
	for i := range 7 {
		id := phone.gave(laptop, matrix.RoomID(fmt.Sprintf("!%d:example.org", i)), uint32(i), i%2 == 0)
		want = slices.Insert(want, 0, id)
	}
	refused := phone.gave(laptop, "!refused:example.org", 0, false)
	phone.do(func(tx *txn.Tx) error { // what it was not given it is not given again
		name := records.ShareName{RoomSession: records.RoomSession{Room: "!refused:example.org", ID: refused}, User: bob, Device: "LAPTOP"}
		s, _, err := records.Shares.Get(tx, name)
		must(t, err)
		s.Outcome, s.Index, s.Over = group.NotTaken, 0, [32]byte{}
		return records.Shares.Put(tx, s)
	})
	phone.take(laptop.broken(phone))
	phone.send()
	if got := w.got(laptop); !slices.Equal(got, want) {
		t.Errorf("it is given %d sessions, want %d, the newest first", len(got), len(want))
	}
	for i, id := range want {
		if at := laptop.has(id); at != int64(6-i) {
			t.Errorf("session %d is given from %d, want %d", 6-i, at, 6-i)
		}
	}
	over := phone.sessions(laptop)[0].ID()
	phone.do(func(tx *txn.Tx) error {
		for s, err := range records.Shares.Scan(tx) {
			must(t, err)
			if slices.Contains(want, s.Session) != (s.Over == over) {
				t.Errorf("a share is over %v", s.Over)
			}
		}
		return nil
	})
	phone.check()
	laptop.check()
}

// TestAtMostSoMany: of more room keys than one unwedging gives it gives the newest, and
// each once, whatever a commit takes, with two processes at it that are killed between
// any two commits.
func TestAtMostSoMany(t *testing.T) {
	for name, limits := range map[string]kv.Limits{"embedded": kv.Embedded(), "floor": kv.Floor()} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			phone, laptop := w.home(alice, "PHONE", memkv.WithLimits(limits)), w.home(bob, "LAPTOP")
			w.meet(phone, laptop)
			w.later(2 * time.Hour)
			var all []group.SessionID
			for i := range records.MaxGive + 5 {
				all = slices.Insert(all, 0, phone.gave(laptop, matrix.RoomID(fmt.Sprintf("!%d:example.org", i)), 1, i%3 == 0))
			}
			phone.lose(laptop)
			phone.take(laptop.made(phone, "hello"))
			for _, r := range phone.outgoing() {
				phone.post(r) // the claim
			}
			left := 0
			killed := func() *home {
				return phone.beside(faulty.Wrap(phone.engine, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
					if call.Op == faulty.Commit && len(call.Batch.Writes) > 0 {
						if left--; left < 0 {
							return kv.ErrClosed
						}
					}
					return nil
				}}))
			}
			for n := 0; phone.wedge(laptop).Opened == [32]byte{} || len(phone.wedge(laptop).Give) > 0; n++ {
				if n > 1000 {
					t.Fatal("it does not end")
				}
				left = 1 + n%2
				_ = killed().unwedge.Due(t.Context())
			}
			phone.send()
			if got := w.got(laptop); !slices.Equal(got, all[:records.MaxGive]) {
				t.Errorf("it is given %d sessions, want the %d newest", len(got), records.MaxGive)
			}
			if len(laptop.read) != 1 || len(phone.sessions(laptop)) != 1 {
				t.Errorf("%q, %d sessions", laptop.read, len(phone.sessions(laptop)))
			}
			phone.check()
		})
	}
}

// TestReopened: a device that opens another session is given again what is in use and
// what it has over older ones, once; not a device that was not given anything.
func TestReopened(t *testing.T) {
	w := newWorld(t)
	phone, laptop, tablet := w.home(alice, "PHONE"), w.home(bob, "LAPTOP"), w.home("@carol:example.org", "TABLET")
	w.meet(phone, laptop)
	w.meet(phone, tablet)
	running := phone.gave(laptop, "!one:example.org", 3, false)
	phone.gave(laptop, "!two:example.org", 3, true)
	phone.gave(tablet, "!three:example.org", 3, false)
	w.queues = map[device.Name][]event{}
	claimed := w.claimed[laptop.name]
	meeting := laptop.sessions(phone)[0].ID()
	phone.take(laptop.madeOn(phone, "hello", phone.key()))
	phone.send()
	got := w.got(laptop)
	if !slices.Equal(got, []group.SessionID{running}) || laptop.has(running) != 3 || len(w.queues[tablet.name]) != 0 {
		t.Errorf("it is given %d sessions", len(got))
	}
	if w.claimed[laptop.name] != claimed || laptop.sessions(phone)[0].ID() == meeting {
		t.Error("it was wedged, or the key came over the old session")
	}
	for range 2 {
		phone.take(laptop.made(phone, "hello"))
		if kinds := phone.send(); len(kinds) != 0 {
			t.Errorf("once more it sends %q", kinds)
		}
	}
	phone.take(laptop.madeOn(phone, "hello", phone.key()))
	phone.take(laptop.madeOn(phone, "hello", phone.key()))
	if kinds := phone.send(); len(kinds) != 1 {
		t.Errorf("of two that came at once it sends %q", kinds)
	}
	n := 0
	phone.do(func(tx *txn.Tx) error {
		for range records.Wedges.Scan(tx) {
			n++
		}
		return nil
	})
	if n != 0 {
		t.Errorf("%d records are left of what is done with", n)
	}
	phone.check()
}
