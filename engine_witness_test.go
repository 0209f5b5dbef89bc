package pawl_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/matrix"
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

// TestLostTailWithoutWitness: what the engine knows of its own end counts
// whether or not there is a witness.
func TestLostTailWithoutWitness(t *testing.T) {
	p := newPast(t, openSQLite)
	p.putBack(func(name string) bool { return name == "store.db" || name == "store.db-wal" })
	if err := os.Remove(witnessIn(t, p.dir)); err != nil {
		t.Fatal(err)
	}
	w := &keychain{}
	for range 2 { // the second time the engine knows nothing any more
		p.open.inDirectory(t, p.dir, func(alice *device) {
			alice.refusesToSend(p.bob, account.Behind)
		}, pawl.WithWitness(w))
	}
	p.open.inDirectory(t, p.dir, func(alice *device) {
		alice.recover()
		alice.on(alice.kv, pawl.WithWitness(w)).needsNoRecovery()
	}, pawl.WithWitness(w))
}

// shortened is an engine that knows how far its store had come, until the next
// commit.
type shortened struct {
	kv.Store
	kept kv.Version
}

func (s shortened) LostTail() (kept, committed kv.Version) { return s.kept, s.kept + 1 }

// TestLostTailOfManyAccounts: a store has more accounts than a commit marks, one of
// which cannot be read, and the process dies when some are marked. The engine knows
// nothing any more then, and all are marked at the next opening all the same,
// whoever has the witness.
func TestLostTailOfManyAccounts(t *testing.T) {
	engine := memkv.New(memkv.WithLimits(kv.Floor()))
	s := openStore(t, engine, testKey)
	n := kv.Floor().Writes + 20
	for i := range n {
		if _, err := s.Create(t.Context(), matrix.UserID(fmt.Sprintf("@user%d:example.org", i)), "DEVICE"); err != nil {
			t.Fatal(err)
		}
	}
	plain := back(t, engine)
	openStore(t, engine, testKey, pawl.WithWitness(&keychain{}))
	witnessed := back(t, engine)
	harmed := slices.IndexFunc(plain.entries, func(e kv.Entry) bool { return strings.HasPrefix(e.Key, "_/account/") })
	for name, before := range map[string]backup{"never witnessed": plain, "witnessed": witnessed} {
		for last := 1; ; last++ {
			store := floored{before.restore(t)}
			whole := plain.entries[harmed]
			putRaw(t, store, whole.Key, "damaged")
			died := opensUntil(t, shortened{store, back(t, store).head}, last)
			if last%2 == 0 && name == "witnessed" {
				openStore(t, store, testKey, pawl.WithWitness(&keychain{}))
			}
			putRaw(t, store, whole.Key, string(whole.Value))
			s := openStore(t, store, testKey)
			ids, err := s.Accounts(t.Context())
			if len(ids) != n || err != nil {
				t.Fatalf("%d accounts, %v", len(ids), err)
			}
			for _, id := range ids {
				m, err := s.Machine(t.Context(), id.UserID, id.DeviceID)
				if err != nil {
					t.Fatal(err)
				}
				if _, needed, err := m.NeedsRecovery(t.Context()); !needed || err != nil {
					t.Fatalf("%s, dead after %d commits: %s needs recovery: %v, %v", name, last, id.UserID, needed, err)
				}
			}
			if !died {
				if last < 4 {
					t.Errorf("%s: all are marked after %d commits: what was there to interrupt?", name, last)
				}
				break
			}
		}
	}
}

// floored is a store with the least limits.
type floored struct{ kv.Store }

func (floored) Limits() kv.Limits { return kv.Floor() }

// opensUntil opens a store without a witness in a process that dies after so many
// commits, and reports whether it did.
func opensUntil(t *testing.T, engine kv.Store, last int) bool {
	t.Helper()
	dead := errors.New("dead")
	dying := faulty.Wrap(engine, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if c.Op == faulty.Commit && len(c.Batch.Writes) > 0 {
			if last--; last < 0 {
				return dead
			}
		}
		return nil
	}})
	_, err := pawl.Open(t.Context(), dying, testKey)
	if err != nil && !errors.Is(err, dead) {
		t.Fatalf("open: %v, want %v", err, dead)
	}
	return err != nil
}

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
