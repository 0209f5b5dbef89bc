package pawl_test

import (
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/txn"
)

// TestRoundTrips: a message costs a read and a commit, whatever it is, and one
// read more when the peer's sessions are not those that were there before.
func TestRoundTrips(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	stranger := newDevice(t, newMemory(), "@carol:example.org")
	var last txn.Report
	observed := pawl.WithObserver(func(r txn.Report) { last = r })
	app, extension := bob.on(bob.kv, observed), bob.on(bob.kv, observed)
	expect := func(what string, want int) {
		t.Helper()
		if last.RoundTrips != want || last.Attempts != 1 {
			t.Errorf("%s: %d round trips in %d attempts, want %d with the commit", what, last.RoundTrips, last.Attempts, want)
		}
	}
	receive := func(what string, on, from *device, want int, how ...pawl.EncryptOption) {
		t.Helper()
		m := from.send(bob, "text", how...)
		on.receive(from, m)
		expect(what, want)
		on.receive(from, m)
		expect(what+", again", 1) // one snapshot shows the receipt: nothing to validate
	}
	receive("the first of a process", app, alice, 3)
	receive("in a session", app, alice, 2)
	receive("opening one", app, alice, 2, pawl.WithOneTimeKey(bob.oneTimeKey()))
	receive("in it", app, alice, 2)
	receive("opening one elsewhere with the fallback key", extension, alice, 3, pawl.WithOneTimeKey(bob.fallbackKey()))
	alice.receive(bob, extension.send(alice, "answer"))
	expect("an answer", 2)
	receive("in one that is not known here", app, alice, 3)
	receive("in it", app, alice, 2)
	receive("of a stranger", app, stranger, 3, pawl.WithOneTimeKey(bob.oneTimeKey()))
	receive("of the same", app, stranger, 2)

	batch := func(what string, on *device, want int) {
		t.Helper()
		results, err := on.DecryptBatch(on.ctx, []pawl.Incoming{
			{Sender: alice.id.Curve25519, Message: alice.send(bob, "text")},
			{Sender: stranger.id.Curve25519, Message: stranger.send(bob, "text")},
			{Sender: alice.id.Curve25519, Message: alice.send(bob, "text")},
		})
		if err != nil || results[0].Err != nil || results[1].Err != nil || results[2].Err != nil {
			t.Fatalf("%s: %+v, %v", what, results, err)
		}
		expect(what, want)
	}
	batch("a batch, the first of a process", bob.on(bob.kv, observed), 3)
	batch("a batch", app, 2)
}

// TestRoundTripsOfASync: room keys of known devices cost the same round trips however
// many come, as long as one commit takes them.
func TestRoundTripsOfASync(t *testing.T) {
	w := newClientWard(t)
	trips := 0
	phone := w.phone.on(w.phone.kv, pawl.WithObserver(func(r txn.Report) { trips += r.RoundTrips }))
	receive := func(keys int) int {
		var events []object
		for i := range keys {
			events = append(events, []*device{w.bob, w.carol}[i%2].letter(phone, "m.room_key", roomKeyOf(t, newRoomSender(t))))
		}
		trips = 0
		phone.synced(nil, events...)
		return trips
	}
	receive(2) // so that the sessions are known
	few, many := 2, 40
	if *atFloor {
		few, many = 1, 2
	}
	if a, b := receive(few), receive(many); a != b {
		t.Errorf("%d room keys take %d round trips, %d take %d", few, a, many, b)
	}
}
