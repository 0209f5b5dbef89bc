package pawl_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/witness"
)

// Without a witness a restored store does what must not be: this is what the
// other tests would see if recognising it did not work.
func TestRestoredStoreWithoutWitnessReusesKeys(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	r := newReleased()
	alice.say(r, bob) // begins a chain
	old := back(t, alice.kv)
	use := func(d *device) {
		d.say(r, bob)
		_, keys, _ := d.upload(2)
		r.upload(keys)
	}
	use(alice)
	use(alice.on(old.restore(t)))
	slices.Sort(r.reused)
	if len(r.reused) != 3 || r.reused[0][:6] != "key id" || r.reused[2][:11] != "message key" {
		t.Errorf("reused %q, want two key ids and a message key", r.reused)
	}
}

func TestRestoredStoreIsRefusedUntilRecovered(t *testing.T) {
	alice, w := witnessed(t)
	bob := newDevice(t, newMemory(), "@bob:example.org")
	alice.meet(bob)
	_, published, _ := alice.upload(3)
	r := newReleased()
	r.upload(published)
	bob.receive(alice, alice.say(r, bob)) // begins a chain
	old := back(t, alice.kv)

	// The time that will be lost.
	lost := alice.say(r, bob)
	_, keys, _ := alice.upload(5)
	r.upload(keys)

	restored := alice.on(old.restore(t), pawl.WithWitness(w))
	restored.refusesToSend(bob, account.Behind)
	if in := restored.inspect(); in.Recovery != account.Behind.String() {
		t.Errorf("inspection says %q", in.Recovery)
	}
	// Receiving goes on, also with a key of the lost time's ratchet.
	bob.receive(alice, lost)
	restored.receive(bob, bob.send(alice, "are you there"))
	restored.refusesToSend(bob, account.Behind)

	done := restored.recover()
	if done.Sessions != 1 || done.OneTimeKeys != 3 {
		t.Errorf("recovered %+v, want a session and 3 keys given up", done)
	}
	restored.needsNoRecovery()
	restored.intact()
	if _, err := restored.Encrypt(restored.ctx, bob.id.Curve25519, nil); !errors.Is(err, pawl.ErrNoSession) {
		t.Errorf("encrypting with what there was: %v, want ErrNoSession", err)
	}
	// The old session receives and never sends, whatever it receives.
	restored.receive(bob, bob.send(alice, "still there"))
	if _, err := restored.Encrypt(restored.ctx, bob.id.Curve25519, nil); !errors.Is(err, pawl.ErrNoSession) {
		t.Errorf("encrypting after another message: %v, want ErrNoSession", err)
	}
	fresh := restored.say(r, bob, pawl.WithOneTimeKey(bob.oneTimeKey()))
	bob.receive(alice, fresh)
	bob.receive(alice, restored.say(r, bob))
	restored.receive(bob, bob.send(alice, "a new session"))
	bob.receive(alice, restored.say(r, bob))
	_, keys, fallback := restored.upload(5)
	r.upload(keys)
	r.upload(fallback)
	if len(r.reused) > 0 {
		t.Errorf("reused: %q", r.reused)
	}
	// A peer that has a key of before can still use it.
	for _, key := range published {
		restored.receive(bob, bob.send(alice, "by an old key", pawl.WithOneTimeKey(key)))
	}
	restored.intact()
	restored.on(restored.kv, pawl.WithWitness(w)).needsNoRecovery()
	// The copy that went on is the old one now.
	alice.on(alice.kv, pawl.WithWitness(w)).refusesToSend(bob, account.Behind)
}

// Whichever commit of opening and recovering is the last before the process
// dies, nothing is sent before all of it is done.
func TestInterruptedRecovery(t *testing.T) {
	died := errors.New("died")
	for last := 0; ; last++ {
		alice, w := witnessed(t)
		bob := newDevice(t, newMemory(), "@bob:example.org")
		alice.meet(bob)
		alice.upload(1)
		w.mark.Head++
		left := last
		dying := faulty.Wrap(alice.kv, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
			if c.Op != faulty.Commit || len(c.Batch.Writes) == 0 {
				return nil
			}
			if left--; left < 0 {
				return died
			}
			return nil
		}})
		done := func() bool {
			store, err := pawl.Open(t.Context(), dying, testKey, pawl.WithWitness(w))
			if err != nil {
				return false
			}
			m, err := store.Machine(t.Context(), "@alice:example.org", "DEVICE")
			if err != nil {
				t.Fatal(err)
			}
			_, err = m.Recover(t.Context())
			return err == nil
		}()
		next := alice.on(alice.kv, pawl.WithWitness(w))
		if done {
			next.needsNoRecovery()
			if last < 4 {
				t.Errorf("done after %d commits: what was there to interrupt?", last)
			}
			return
		}
		next.refusesToSend(bob, account.Behind)
		next.recover()
		if _, err := next.Encrypt(next.ctx, bob.id.Curve25519, nil); !errors.Is(err, pawl.ErrNoSession) {
			t.Errorf("after %d commits and a recovery: %v, want ErrNoSession", last, err)
		}
		next.intact()
	}
}

// The witness is written last: when that fails, the next opening marks next.
func TestInterruptedWitness(t *testing.T) {
	alice, w := witnessed(t)
	bob := newDevice(t, newMemory(), "@bob:example.org")
	w.mark.Head++
	locked := &failingSave{w, errors.New("the keychain is locked")}
	if _, err := pawl.Open(t.Context(), alice.kv, testKey, pawl.WithWitness(locked)); !errors.Is(err, locked.err) {
		t.Errorf("open: %v, want the witness's error", err)
	}
	alice.on(alice.kv, pawl.WithWitness(w)).refusesToSend(bob, account.Behind)
	alice.recover()
	alice.on(alice.kv, pawl.WithWitness(w)).needsNoRecovery()
}

type failingSave struct {
	*keychain
	err error
}

func (w *failingSave) Save(context.Context, witness.Mark) error { return w.err }

// Recovering is also for those who know more than the witness.
func TestRecoverUnasked(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	_, before := alice.published(0)
	alice.upload(1)
	if done := alice.recover(); done.Sessions != 1 || done.OneTimeKeys != 1 {
		t.Errorf("recovered %+v", done)
	}
	if done := alice.recover(); done != (pawl.Recovered{}) {
		t.Errorf("recovered %+v, and there was nothing left", done)
	}
	alice.needsNoRecovery()
	alice.intact()
	if in := alice.inspect(); in.Keys.NextID <= 1<<21 || in.Keys.NextID > 1<<26 || !in.Peers[0].Sessions[0].ReceiveOnly {
		t.Errorf("next id %d, session %+v", in.Keys.NextID, in.Peers[0].Sessions[0])
	}
	_, _, after := alice.upload(0)
	for id, key := range after {
		if key == before {
			t.Errorf("fallback key %s is offered again", id)
		}
	}
}

func TestTwoRecoverAtTheSameTime(t *testing.T) {
	alice, w := witnessed(t)
	bob := newDevice(t, newMemory(), "@bob:example.org")
	for range 5 {
		alice.meet(bob)
	}
	w.mark.Head++
	alice = alice.on(alice.kv, pawl.WithWitness(w))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if _, err := alice.Recover(alice.ctx); err != nil {
				t.Error(err)
			}
		})
		group.Go(func() {
			m := bob.send(alice, "meanwhile")
			if _, err := alice.Decrypt(alice.ctx, bob.id.Curve25519, m); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	alice.needsNoRecovery()
	alice.intact()
	if _, err := alice.Encrypt(alice.ctx, bob.id.Curve25519, nil); !errors.Is(err, pawl.ErrNoSession) {
		t.Errorf("encrypting: %v, want ErrNoSession", err)
	}
}
