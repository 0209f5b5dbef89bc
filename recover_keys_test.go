package pawl_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// published uploads n one-time keys and the fallback key, which arrive.
func (d *device) published(n int) (oneTime []ratchet.PublicKey, fallback ratchet.PublicKey) {
	d.t.Helper()
	u, keys, fallbacks := d.upload(n)
	if err := d.MarkPublished(d.ctx, u); err != nil {
		d.t.Fatal(err)
	}
	return slices.Collect(maps.Values(keys)), slices.Collect(maps.Values(fallbacks))[0]
}

// What the server hands out is kept, however often the device is recovered
// before it uploads.
func TestRecoveriesKeepTheServersFallbackKey(t *testing.T) {
	for name, engine := range map[string]kv.Store{"format 1": &unraised{Store: newMemory()}, "format 2": newMemory()} {
		t.Run(name, func(t *testing.T) {
			alice, bob := newDevice(t, engine, "@alice:example.org"), newDevice(t, newMemory(), "@bob:example.org")
			_, fallback := alice.published(0)
			for range 12 {
				alice.recover()
			}
			alice.receive(bob, bob.send(alice, "by the fallback key", pawl.WithOneTimeKey(fallback)))
			if _, next := alice.published(0); next == fallback {
				t.Error("a fallback key of before the recoveries is in a body again")
			}
			alice.intact()
		})
	}
}

// An account that was recovered in format 1 knows after its raise which keys are
// from before the recovery: what they open only receives.
func TestRaiseAfterARecovery(t *testing.T) {
	engine := &unraised{Store: newMemory()}
	alice, bob := newDevice(t, engine, "@alice:example.org"), newDevice(t, newMemory(), "@bob:example.org")
	before, fallback := alice.published(2)
	alice.recover()
	after, newFallback := alice.published(1)
	engine.gone.Store(true)
	alice = alice.on(engine)
	for name, key := range map[string]ratchet.PublicKey{"one-time key": before[0], "fallback key": fallback} {
		alice.receive(bob, bob.send(alice, "by a "+name+" of before", pawl.WithOneTimeKey(key)))
		alice.sendsNothingTo(bob)
	}
	for name, key := range map[string]ratchet.PublicKey{"one-time key": after[0], "fallback key": newFallback} {
		alice.receive(bob, bob.send(alice, "by a "+name+" of after", pawl.WithOneTimeKey(key)))
		bob.receive(alice, alice.send(bob, "read"))
	}
	alice.intact()
}

// A fallback key goes with the sweep that comes a week after a newer one was
// published, and not with uploads or recoveries.
func TestSweepDropsFallbackKeys(t *testing.T) {
	alice, bob := pair(t)
	first := make([]ratchet.PublicKey, 9)
	for i := range first {
		_, first[i] = alice.published(0)
		alice.recover()
	}
	if alice.inspect().Records["otk"] != len(first) {
		t.Errorf("%d keys are kept, want %d", alice.inspect().Records["otk"], len(first))
	}
	if _, key := alice.published(0); key != first[8] {
		t.Error("a key too many was made: none of the others may go")
	}
	for _, key := range first {
		alice.receive(bob, bob.send(alice, "by an old fallback key", pawl.WithOneTimeKey(key)))
	}
	alice.sweeps(otk.FallbackLife-time.Minute, pawl.Swept{})
	alice.sweeps(otk.FallbackLife, pawl.Swept{FallbackKeys: len(first) - 1})
	alice.intact()
	if _, key := alice.published(0); key == first[8] {
		t.Error("there is place again, and the key of before the recovery stays")
	}
}

// The newest keys stay, also where the answer to their upload was lost.
func TestAbandonedKeysAreNotEvictedFirst(t *testing.T) {
	d := newDevice(t, newMemory(), "@alice:example.org")
	var all []otk.ID
	for range otk.MaxKeys / pawl.MaxUploadKeys {
		u, err := d.KeysForUpload(d.ctx, pawl.MaxUploadKeys)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, u.OneTimeKeys...)
		if err := d.MarkPublished(d.ctx, u); err != nil {
			t.Fatal(err)
		}
	}
	next := func() pawl.Upload {
		t.Helper()
		u, err := d.KeysForUpload(d.ctx, 50)
		if err != nil || !slices.Equal(u.Evicted, all[:50]) {
			t.Errorf("evicted are %d keys from %v, %v; want 50 from %v", len(u.Evicted), u.Evicted[0], err, all[0])
		}
		all = all[50:]
		return u
	}
	if err := d.Abandon(d.ctx, next()); err != nil {
		t.Fatal(err)
	}
	next()
	// Of rested ones the lowest id goes, of others that which was told first.
	d.clock.pass(otk.KeyRest)
	next()
	d.intact()
}
