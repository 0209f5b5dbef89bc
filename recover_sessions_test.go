package pawl_test

import (
	"context"
	"errors"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/ratchet"
)

// sendsNothingTo wants no session that the device sends in.
func (d *device) sendsNothingTo(to *device) {
	d.t.Helper()
	if _, err := d.Encrypt(d.ctx, to.id.Curve25519, nil); !errors.Is(err, pawl.ErrNoSession) {
		d.t.Errorf("encrypting: %v, want ErrNoSession", err)
	}
}

// A first message that comes again after the store went back opens a session
// that the device once wrote in: it receives, and never sends.
func TestFirstMessageAgainAfterARecovery(t *testing.T) {
	alice, bob := pair(t)
	keys, fallback := alice.published(2)
	for name, key := range map[string]ratchet.PublicKey{"one-time key": keys[0], "fallback key": fallback} {
		t.Run(name, func(t *testing.T) {
			old := back(t, alice.kv)
			first := bob.send(alice, "first", pawl.WithOneTimeKey(key))
			alice.receive(bob, first)
			bob.receive(alice, alice.send(bob, "an answer that is lost with the store"))

			restored := alice.on(old.restore(t))
			restored.recover()
			restored.receive(bob, first)
			restored.sendsNothingTo(bob)
			for _, s := range restored.sessions(bob) {
				if !s.ReceiveOnly {
					t.Errorf("session %s sends", s.ID)
				}
			}
			// One new session, whoever opens it, and both read each other.
			agree := func(bob *device) {
				restored.receive(bob, bob.send(restored, "and on"))
				bob.receive(restored, restored.send(bob, "and back"))
				restored.receive(bob, bob.send(restored, "and on again"))
			}
			bob.receive(restored, restored.send(bob, "ours", pawl.WithOneTimeKey(bob.oneTimeKey())))
			agree(bob)
			restored.intact()
		})
	}
	t.Run("opened by them", func(t *testing.T) {
		alice.recover()
		fresh, freshFallback := alice.published(1)
		for _, key := range []ratchet.PublicKey{fresh[0], freshFallback} {
			alice.receive(bob, bob.send(alice, "by a key of after the recovery", pawl.WithOneTimeKey(key)))
			bob.receive(alice, alice.send(bob, "read"))
		}
	})
}

// What comes while a recovery is under way comes by a key of before it, also
// after the recovery has looked for sessions.
func TestFirstMessagesDuringARecovery(t *testing.T) {
	alice, bob := pair(t)
	keys, _ := alice.published(8)
	alice.meet(bob)
	commits := 0
	restored := alice.on(faulty.Wrap(alice.kv, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if call.Op == faulty.Commit && len(call.Batch.Writes) > 0 && commits < len(keys) {
			// A commit that loses to this is tried again, and comes by here again.
			alice.receive(bob, bob.send(alice, "first", pawl.WithOneTimeKey(keys[commits])))
			commits++
		}
		return nil
	}}))
	restored.recover()
	if commits < 3 {
		t.Errorf("%d commits, want one that marks, one for the session and one that ends", commits)
	}
	in := alice.sessions(bob)
	for _, s := range in[1:] {
		if !s.ReceiveOnly {
			t.Errorf("session %s sends, of %d", s.ID, len(in))
		}
	}
	alice.sendsNothingTo(bob)
	alice.intact()
}
