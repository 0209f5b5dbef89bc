package unwedge_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// TestUnwedging is the usual course: something comes that nobody can read, one key is
// claimed, m.dummy goes out with the keys that may be lost, and the device is heard.
func TestUnwedging(t *testing.T) {
	w := newWorld(t)
	phone, laptop := w.home(alice, "PHONE"), w.home(bob, "LAPTOP")
	w.meet(phone, laptop)
	given := phone.share("!one:example.org", bob)
	phone.lose(laptop)
	w.queues[laptop.name] = nil // what it was given is lost
	laptop.say(phone, "unread")
	out := phone.sync()
	if len(out.Refused) != 1 || !phone.wedge(laptop).IsWedged() {
		t.Fatalf("%+v, %+v", out, phone.wedge(laptop))
	}
	before := w.claimed[laptop.name]
	if kinds := phone.send(); !slices.Equal(kinds, []string{"claim", "m.room.encrypted", "m.room.encrypted", "m.room.encrypted"}) {
		t.Errorf("it sends %q", kinds)
	}
	laptop.sync()
	if w.claimed[laptop.name] != before+1 || laptop.has(given) != 0 || len(phone.sessions(laptop)) != 1 {
		t.Errorf("%d keys were claimed, the key is there from %d", w.claimed[laptop.name]-before, laptop.has(given))
	}
	if got := phone.wedge(laptop); !got.IsWedged() || got.Tries != 1 || got.Opened != phone.sessions(laptop)[0].ID() || len(got.Give) != 0 {
		t.Errorf("%+v", got)
	}
	laptop.say(phone, "read")
	phone.sync()
	phone.send()
	if got := phone.wedge(laptop); got.IsWedged() || got.Heard.IsZero() || got.Tries != 0 || !slices.Contains(phone.read, "read") {
		t.Errorf("%+v, %q", got, phone.read)
	}
	phone.check()
}

// TestAtOnce: of processes that find the same peers wedged at the same time one asks
// for each, one greets it, and one gives it its keys.
func TestAtOnce(t *testing.T) {
	w := newWorld(t)
	phone := w.home(alice, "PHONE")
	var peers []*home
	for i := range 5 {
		p := w.home(matrix.UserID(fmt.Sprintf("@user%d:example.org", i)), "DEVICE")
		w.meet(phone, p)
		peers = append(peers, p)
	}
	w.later(2 * time.Hour)
	for i, p := range peers {
		phone.gave(p, matrix.RoomID(fmt.Sprintf("!%d:example.org", i)), 2, false)
		phone.take(p.broken(phone))
	}
	var all []*home
	for range 4 {
		all = append(all, phone.beside(phone.engine))
	}
	atOnce := func() {
		var wg sync.WaitGroup
		for _, h := range all {
			wg.Go(func() {
				if err := h.unwedge.Due(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	}
	atOnce()
	claims := phone.outgoing()
	asked := 0
	for _, r := range claims {
		asked += len(phone.post(r)) / len("claim")
	}
	atOnce()
	atOnce()
	dummies := 0
	for _, r := range phone.outgoing() {
		dummies += len(phone.post(r)) / len("m.room.encrypted")
	}
	if asked != len(claims) || dummies != 2*len(peers) {
		t.Errorf("%d claims, and %d events for %d peers", asked, dummies, len(peers))
	}
	for _, p := range peers {
		if got := w.got(p); w.claimed[p.name] != 2 || len(got) != 1 || p.has(got[0]) != 2 {
			t.Errorf("%s: %d keys were claimed of it, and it is given %d", p.name.User, w.claimed[p.name], len(got))
		}
	}
	phone.check()
}

// TestSweep: what is long ago is forgotten, and nothing before.
func TestSweep(t *testing.T) {
	w := newWorld(t)
	phone, laptop := w.home(alice, "PHONE"), w.home(bob, "LAPTOP")
	w.meet(phone, laptop)
	w.later(2 * time.Hour)
	unknown := w.home("@dave:example.org", "WATCH")
	key := phone.key()
	phone.do(func(tx *txn.Tx) error { return phone.forget(tx, *key) })
	phone.take(laptop.broken(phone), unknown.madeOn(phone, "hello", key))
	count := func() (n int) {
		phone.do(func(tx *txn.Tx) error {
			n = 0
			for range records.Wedges.Scan(tx) {
				n++
			}
			for range records.Unheards.Scan(tx) {
				n++
			}
			return nil
		})
		return n
	}
	for _, c := range []struct {
		after time.Duration
		left  int
	}{{0, 2}, {records.WedgeLife - time.Minute, 2}, {records.WedgeLife, 0}} {
		_, err := upkeep.Sweep(t.Context(), phone.account, records.Kinds(), w.now.Add(c.after))
		must(t, err)
		if n := count(); n != c.left {
			t.Errorf("after %v %d records, want %d", c.after, n, c.left)
		}
	}
}

// TestLateAnswer: the hour is counted from the session, however late the claim was
// answered, and one that a peer opened meanwhile is as good.
func TestLateAnswer(t *testing.T) {
	w := newWorld(t)
	phone, laptop := w.home(alice, "PHONE"), w.home(bob, "LAPTOP")
	w.meet(phone, laptop)
	w.later(2 * time.Hour)
	phone.take(laptop.broken(phone))
	claim := phone.outgoing()
	w.later(59 * time.Minute)
	phone.post(claim[0])
	phone.send()
	w.later(30 * time.Minute)
	phone.take(laptop.broken(phone)) // the laptop has not synced
	if kinds := phone.send(); len(kinds) != 0 || phone.wedge(laptop).Tries != 1 {
		t.Errorf("half an hour after the session it sends %q, try %d", kinds, phone.wedge(laptop).Tries)
	}
	w.later(30 * time.Minute)
	claim = phone.outgoing()
	if len(claim) != 1 || phone.wedge(laptop).Tries != 2 {
		t.Fatalf("an hour after it: %d requests, try %d", len(claim), phone.wedge(laptop).Tries)
	}
	phone.take(laptop.madeOn(phone, "hello", phone.key()))
	before := len(phone.sessions(laptop))
	phone.post(claim[0])
	phone.send()
	if n := len(phone.sessions(laptop)); n != before || phone.wedge(laptop).IsWedged() {
		t.Errorf("%d sessions, want %d: %+v", n, before, phone.wedge(laptop))
	}
	phone.check()
}
