package pawl_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/kv/witness"
)

// TestAnothersWitness: a store that is witnessed by a caller's own witness sends
// nothing where that is not given, which is no reason to recover anything; who
// chooses the engine's goes on with that.
func TestAnothersWitness(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		dir := filepath.Join(t.TempDir(), "store")
		bob := newDevice(t, newMemory(), "@bob:example.org")
		w := &keychain{}
		open.inDirectory(t, dir, func(alice *device) { alice.meet(bob) }, pawl.WithWitness(w))
		for range 2 {
			open.inDirectory(t, dir, func(alice *device) {
				alice.sendsNothing(bob, "without the caller's")
				alice.receive(bob, bob.send(alice, "are you there"))
				alice.needsNoRecovery()
			})
			open.inDirectory(t, dir, func(alice *device) {
				alice.needsNoRecovery()
				bob.receive(alice, alice.send(bob, "yes"))
			}, pawl.WithWitness(w))
		}
		open.inDirectory(t, dir, func(alice *device) {
			engines := pawl.WithWitness(witness.Of(alice.kv))
			chosen := alice.on(alice.kv, engines)
			chosen.refusesToSend(bob, account.Unwitnessed)
			chosen.recover()
			chosen.send(bob, "by another way", pawl.WithOneTimeKey(bob.oneTimeKey()))
		})
		open.inDirectory(t, dir, func(alice *device) {
			alice.needsNoRecovery()
			alice.send(bob, "as usual")
		})
		open.inDirectory(t, dir, func(alice *device) { alice.refusesToSend(bob, account.Unwitnessed) }, pawl.WithWitness(w))
	})
}

// TestMissingGeneration: a store that lost its generation, and whose witness is gone
// too, is no store that never had one.
func TestMissingGeneration(t *testing.T) {
	for name, mark := range map[string]func(w *keychain){"gone": func(w *keychain) { w.mark = witness.Mark{} }, "there": func(*keychain) {}} {
		w := newWard(t).harmed(t, "witness", harms["missing"])
		mark(w.keychain)
		for range 2 {
			w.phone.on(w.phone.kv, pawl.WithWitness(w.keychain)).refusesToSend(w.bob, account.Unwitnessed)
		}
		if found := w.check(); len(found) != 1 || found[0].Kind != "witness" {
			t.Errorf("%s: check finds %v", name, found)
		}
		w.repairs(w.check())
		next := w.phone.on(w.phone.kv, pawl.WithWitness(w.keychain))
		next.refusesToSend(w.bob, account.Unwitnessed)
		next.recover()
		w.phone.on(w.phone.kv, pawl.WithWitness(w.keychain)).needsNoRecovery()
	}
}

// TestNothingLeft: no store is made in the place of one of which nothing is left.
func TestNothingLeft(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	opener(openSQLite).inDirectory(t, dir, func(alice *device) { alice.upload(1) })
	for _, name := range []string{"store.db", "store.db-wal", "store.db-shm"} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "store.db")
	if s, err := sqlitekv.Open(path); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("open: %v, %v; want %v", s, err, kv.ErrCorrupt)
	}
	engine, err := sqlitekv.Open(path, sqlitekv.WithLostTail())
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	if s, err := pawl.Open(t.Context(), engine, testKey); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("open: %v, %v; want %v", s, err, kv.ErrCorrupt)
	}
}
