package pawl_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

func TestReceipts(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	kept, acknowledged := alice.send(bob, "kept"), alice.send(bob, "acknowledged")
	bob.receive(alice, kept)
	ack := bob.receive(alice, acknowledged)
	if known, err := bob.AcknowledgeKnown(bob.ctx, ack.Receipt, ack.Receipt, session.ReceiptID{1}); err != nil || known != 2 {
		t.Fatalf("%d known, %v", known, err)
	}
	bob.unchanged(func() {
		if known, err := bob.AcknowledgeKnown(bob.ctx, session.ReceiptID{2}, ack.Receipt); err != nil || known != 1 {
			t.Errorf("acknowledging again: %d known, %v", known, err)
		}
		if d := bob.receive(alice, kept); !d.Duplicate || string(d.Plaintext) != "kept" {
			t.Errorf("the same message again: %+v", d)
		}
	})
	bob.refuses(alice.id.Curve25519, acknowledged, pawl.ErrAlreadyProcessed)
	if got := bob.inspect().Receipts; got != (pawl.ReceiptCounts{Open: 2, Acknowledged: 1}) {
		t.Errorf("receipts are %+v", got)
	}
	bob.sweeps(session.ReceiptLife-time.Second, pawl.Swept{})
	bob.sweeps(session.ReceiptLife+time.Minute, pawl.Swept{Erased: 2})
	bob.refuses(alice.id.Curve25519, kept, pawl.ErrAlreadyProcessed)
	bob.refuses(alice.id.Curve25519, acknowledged, pawl.ErrAlreadyProcessed)
	bob.sweeps(session.ReceiptMemory-time.Second, pawl.Swept{})
	bob.sweeps(session.ReceiptMemory+time.Minute, pawl.Swept{Receipts: 3})
	bob.undecryptable(alice, kept, ratchet.ErrKeyGone)
	bob.undecryptable(alice, acknowledged, ratchet.ErrKeyGone)
	bob.intact()
}

// sweeps sweeps at a time from now and wants that to be deleted.
func (d *device) sweeps(after time.Duration, want pawl.Swept) {
	d.t.Helper()
	got, err := d.Sweep(d.ctx, d.clock.now().Add(after))
	if err != nil || got != want {
		d.t.Errorf("sweep deletes %+v, error %v; want %+v", got, err, want)
	}
	d.intact()
}

// fill opens so many sessions from d with a fallback or one-time key that
// the other device prunes, and returns their first messages.
func (d *device) fill(other *device, n int, key func() ratchet.PublicKey) []ratchet.Message {
	d.t.Helper()
	var first []ratchet.Message
	for i := range n {
		m := d.send(other, fmt.Sprint(i), pawl.WithOneTimeKey(key()))
		first = append(first, m)
		other.receive(d, m)
	}
	return first
}

// TestPruning: the least recently used session goes when there are too many,
// and its first message can never open it again.
func TestPruning(t *testing.T) {
	for name, kind := range map[string]func(*device) ratchet.PublicKey{
		"fallback key": (*device).fallbackKey, "one-time key": (*device).oneTimeKey,
	} {
		t.Run(name, func(t *testing.T) {
			alice, bob := pair(t)
			first := alice.fill(bob, session.MaxPerPeer+1, func() ratchet.PublicKey { return kind(bob) })
			if n := len(bob.sessions(alice)); n != session.MaxPerPeer {
				t.Fatalf("%d sessions", n)
			}
			if d := bob.receive(alice, first[0]); !d.Duplicate || string(d.Plaintext) != "0" {
				t.Errorf("from its receipt: %+v", d)
			}
			bob.intact()
			swept := pawl.Swept{Erased: len(first)}
			if name == "one-time key" {
				swept.Sessions, swept.OneTimeKeys = 1, 1
			}
			bob.sweeps(session.ReceiptLife+time.Minute, swept)
			bob.refuses(alice.id.Curve25519, first[0], pawl.ErrAlreadyProcessed)
			bob.refuses(alice.id.Curve25519, first[1], pawl.ErrAlreadyProcessed)
			if name == "one-time key" {
				bob.sweeps(session.ReceiptMemory+time.Minute, pawl.Swept{Receipts: len(first)})
				bob.refuses(alice.id.Curve25519, first[0], pawl.ErrUnknownOneTimeKey)
				bob.undecryptable(alice, first[1], ratchet.ErrKeyGone)
				return
			}
			// By then she is forgotten, as a stranger.
			bob.sweeps(session.ReceiptMemory+time.Minute, pawl.Swept{Receipts: len(first), Strangers: 1})
			bob.refuses(alice.id.Curve25519, first[0], session.ErrPruned)
			bob.refuses(alice.id.Curve25519, first[1], session.ErrPruned)
		})
	}
}

// TestPrunedFallbackSession: the tombstone goes with the fallback key.
func TestPrunedFallbackSession(t *testing.T) {
	alice, bob := pair(t)
	u, _, _ := bob.upload(0)
	first := alice.fill(bob, session.MaxPerPeer+1, bob.fallbackKey)
	for range 2 {
		if err := bob.MarkPublished(bob.ctx, u); err != nil {
			t.Fatal(err)
		}
		bob.clock.pass(week)
		u, _, _ = bob.upload(0)
	}
	bob.sweeps(time.Minute, pawl.Swept{Erased: len(first), Sessions: 1, FallbackKeys: 1})
	bob.refuses(alice.id.Curve25519, first[0], pawl.ErrAlreadyProcessed)
	bob.sweeps(session.ReceiptMemory, pawl.Swept{Receipts: len(first), Strangers: 1})
	bob.refuses(alice.id.Curve25519, first[0], pawl.ErrUnknownOneTimeKey)
}

// TestPruningWithClockGoneBack: what a clock wrote that was ahead counts from the
// first time after it that was right, and a session that was pruned meanwhile is
// not opened again.
func TestPruningWithClockGoneBack(t *testing.T) {
	alice, bob := pair(t)
	bob.clock.pass(time.Hour)
	first := alice.fill(bob, 1, bob.oneTimeKey)
	bob.clock.pass(-time.Hour)
	alice.fill(bob, session.MaxPerPeer, bob.oneTimeKey)
	if d := bob.receive(alice, first[0]); !d.Duplicate {
		t.Errorf("the first message again: %+v", d)
	}
	got, err := bob.Sweep(bob.ctx, bob.clock.now().Add(session.ReceiptLife+time.Minute))
	if err != nil || got.Erased != session.MaxPerPeer+1 {
		t.Errorf("sweep deletes %+v, error %v; want the keys of %d messages", got, err, session.MaxPerPeer+1)
	}
	bob.intact()
	bob.refuses(alice.id.Curve25519, first[0], pawl.ErrAlreadyProcessed)
}
