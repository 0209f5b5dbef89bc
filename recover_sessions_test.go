package pawl_test

import (
	"errors"
	"testing"

	"github.com/pawlkv/pawl"
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
	alice.raised()
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

// What comes while a recovery is needed comes by a key of before it.
func TestFirstMessageBeforeARecovery(t *testing.T) {
	alice, w := witnessed(t)
	bob := newDevice(t, newMemory(), "@bob:example.org")
	keys, _ := alice.published(1)
	w.mark.Head++
	alice = alice.on(alice.kv, pawl.WithWitness(w))
	alice.receive(bob, bob.send(alice, "first", pawl.WithOneTimeKey(keys[0])))
	alice.recover()
	alice.sendsNothingTo(bob)
	alice.intact()
}
