package pawl_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
)

// The files that the documents name.
func TestWitnessBesideTheStore(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		dir := filepath.Join(t.TempDir(), "store")
		var last kv.Version
		open.inDirectory(t, dir, func(alice *device) {
			want := map[string]bool{filepath.Join(dir, "pawl.witness"): true, filepath.Join(dir, "store.db.witness"): true}
			if found := witnessIn(t, dir); !want[found] {
				t.Errorf("the witness is %s", found)
			}
			alice.upload(1)
			last = back(t, alice.kv).head
		})
		mark, err := witness.NewFile(witnessIn(t, dir)).Load(t.Context())
		if err != nil || mark.Head != last {
			t.Errorf("the mark is %+v, %v; want head %d", mark, err, last)
		}
	})
}

// hidden is a store of somebody's who does not know of witnesses.
type hidden struct{ kv.Store }

// TestNothingIsSentWithoutTheWitness: a store that ever had one sends nothing
// where it is missing, which is no reason to recover anything.
func TestNothingIsSentWithoutTheWitness(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		dir := filepath.Join(t.TempDir(), "store")
		bob := newDevice(t, newMemory(), "@bob:example.org")
		open.inDirectory(t, dir, func(alice *device) {
			alice.meet(bob)
			for name, plain := range map[string]*device{
				"hidden by a wrapper": alice.on(hidden{alice.kv}),
				"on purpose":          alice.on(alice.kv, pawl.WithoutNoticingCopies()),
			} {
				plain.sendsNothing(bob, name)
				plain.receive(bob, bob.send(alice, "are you there"))
				plain.needsNoRecovery()
			}
		})
		open.inDirectory(t, dir, func(alice *device) {
			alice.needsNoRecovery()
			bob.receive(alice, alice.send(bob, "hello"))
		})
	})
}

func (d *device) sendsNothing(to *device, how string) {
	d.t.Helper()
	key := to.oneTimeKey()
	d.unchanged(func() {
		_, encrypt := d.Encrypt(d.ctx, to.id.Curve25519, []byte("hello"))
		_, open := d.Encrypt(d.ctx, to.id.Curve25519, []byte("hello"), pawl.WithOneTimeKey(key))
		_, upload := d.KeysForUpload(d.ctx, 1)
		for what, err := range map[string]error{"encrypt": encrypt, "open a session": open, "upload": upload} {
			if !errors.Is(err, pawl.ErrUnwitnessed) {
				d.t.Errorf("%s: %s: %v, want %v", how, what, err, pawl.ErrUnwitnessed)
			}
		}
	})
}

// A store that never had a witness goes without if it is told to, and gets one
// when it is opened as usual. From then on copies show, also those from before.
func TestStoresFromBefore(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		dir := filepath.Join(t.TempDir(), "store")
		bob := newDevice(t, newMemory(), "@bob:example.org")
		out := newReleased()
		for range 2 {
			open.inDirectory(t, dir, func(alice *device) {
				alice.say(out, bob, pawl.WithOneTimeKey(bob.oneTimeKey()))
			}, pawl.WithoutNoticingCopies())
		}
		if found, err := filepath.Glob(filepath.Join(dir, "*.witness")); len(found) > 0 || err != nil {
			t.Errorf("there is %q, %v", found, err)
		}
		open.inDirectory(t, dir, func(alice *device) {
			alice.needsNoRecovery()
			alice.say(out, bob)
		})
		copied := dir + ".copy"
		copyDir(t, copied, dir)
		open.inDirectory(t, dir, func(alice *device) { alice.say(out, bob) })
		open.inDirectory(t, copied, func(alice *device) { alice.refusesToSend(bob, account.Copied) })
		if len(out.reused) > 0 {
			t.Errorf("reused %q", out.reused)
		}
	})
}

// TestWhoWitnessesIsNoted: also in a store whose generation was written by a program that
// did not note it.
func TestWhoWitnessesIsNoted(t *testing.T) {
	const record = "_/witnessed"
	store, w := newMemory(), &keychain{}
	openStore(t, store, testKey, pawl.WithWitness(w))
	commit(t, store, kv.Write{Key: record, Delete: true})
	openStore(t, store, testKey, pawl.WithWitness(w))
	snapshot := store.Snapshot()
	defer snapshot.Close()
	if found, err := snapshot.Get(t.Context(), record); err != nil || found[0].Version == 0 {
		t.Errorf("%s has version 0, %v: nobody has noted who witnesses the store", record, err)
	}
}

// A witness of the caller's is the one that counts, and the engine's is not made.
func TestCallersWitnessWins(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		dir := filepath.Join(t.TempDir(), "store")
		bob := newDevice(t, newMemory(), "@bob:example.org")
		w := &keychain{}
		open.inDirectory(t, dir, func(alice *device) { alice.meet(bob) }, pawl.WithWitness(w), pawl.WithoutNoticingCopies())
		if found, err := filepath.Glob(filepath.Join(dir, "*.witness")); len(found) > 0 || err != nil {
			t.Errorf("there is %q, %v", found, err)
		}
		copied := dir + ".copy"
		copyDir(t, copied, dir)
		open.inDirectory(t, dir, func(alice *device) {
			alice.needsNoRecovery()
			alice.send(bob, "hello")
		}, pawl.WithWitness(w))
		open.inDirectory(t, copied, func(alice *device) { alice.refusesToSend(bob, account.Behind) }, pawl.WithWitness(w))
	})
}

// TestStoreIsLost: an empty store in the place of one that the caller's witness has seen
// takes no account, as often as it is opened; with a witness that knows nothing it does.
func TestStoreIsLost(t *testing.T) {
	w := &keychain{}
	newDevice(t, newMemory(), "@alice:example.org", pawl.WithWitness(w))
	seen := w.mark
	empty := newMemory()
	for range 2 {
		s := openStore(t, empty, testKey, pawl.WithWitness(w))
		if _, err := s.Create(t.Context(), "@alice:example.org", "DEVICE"); !errors.Is(err, kv.ErrCorrupt) {
			t.Errorf("create: %v, want %v", err, kv.ErrCorrupt)
		}
		if _, err := s.Machine(t.Context(), "@alice:example.org", "DEVICE"); !errors.Is(err, pawl.ErrNoAccount) {
			t.Errorf("the account: %v, want %v", err, pawl.ErrNoAccount)
		}
	}
	if w.mark != seen {
		t.Errorf("the witness was told %+v, and had seen %+v", w.mark, seen)
	}
	s := openStore(t, empty, testKey, pawl.WithWitness(&keychain{}))
	if _, err := s.Create(t.Context(), "@alice:example.org", "DEVICE"); err != nil {
		t.Errorf("create, with a witness that knows nothing: %v", err)
	}
}

// All names of a store lead to one witness, and to the same locks.
func TestWitnessOfALinkedStore(t *testing.T) {
	eachEngine(t, func(t *testing.T, open opener) {
		dir := filepath.Join(t.TempDir(), "store")
		open.inDirectory(t, dir, func(*device) {})
		link := dir + ".link"
		if err := os.Symlink(dir, link); err != nil {
			t.Logf("no links here: %v", err)
			return
		}
		bob := newDevice(t, newMemory(), "@bob:example.org")
		for _, name := range []string{link, dir, link} {
			open.inDirectory(t, name, func(alice *device) {
				alice.needsNoRecovery()
				alice.send(bob, "hello", pawl.WithOneTimeKey(bob.oneTimeKey()))
			})
		}
		witnessIn(t, dir) // one
	})
}

// TestOpenOrCreate: the first start makes the account, also when there are
// several at once, and the others find it.
func TestOpenOrCreate(t *testing.T) {
	store := openStore(t, newMemory(), testKey)
	ids := make(chan pawl.Identity)
	const starts = 8
	for range starts {
		go func() {
			m, err := store.OpenOrCreate(t.Context(), "@alice:example.org", "DEVICE")
			if err != nil {
				t.Error(err)
				ids <- pawl.Identity{}
				return
			}
			id, err := m.Identity(t.Context())
			if err != nil {
				t.Error(err)
			}
			ids <- id
		}()
	}
	first := <-ids
	for range starts - 1 {
		if id := <-ids; id != first {
			t.Errorf("another account: %+v, %+v", id, first)
		}
	}
	if _, err := store.OpenOrCreate(t.Context(), "alice", "DEVICE"); pawl.CodeOf(err) != "user_id" {
		t.Errorf("a user id that is none: %v", err)
	}
}
