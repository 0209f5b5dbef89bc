package pawl_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/story"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// unraised is a store of format 1 that an older program has open, until that one
// is gone.
type unraised struct {
	kv.Store
	gone atomic.Bool
}

// Raise implements kv.Raiser.
func (u *unraised) Raise(context.Context) (kv.Format, error) {
	if u.gone.Load() {
		return kv.Format2, nil
	}
	return kv.Format1, nil
}

// Unwrap implements kv.Wrapper.
func (u *unraised) Unwrap() kv.Store { return u.Store }

// kept is a message that the makers of testdata/format1 kept: to a store that
// they filled with the last program that knew of format 1 only.
type kept struct {
	Sender string
	Type   ratchet.MessageType
	Body   []byte
	Text   string
}

func (k kept) incoming(t *testing.T) (ratchet.PublicKey, ratchet.Message) {
	t.Helper()
	sender, err := ratchet.ParsePublicKey(k.Sender)
	if err != nil {
		t.Fatal(err)
	}
	return sender, ratchet.Message{Type: k.Type, Body: k.Body}
}

// TestStoresOfFormat1 opens stores that the last program before format 2 made,
// and goes on with them.
func TestStoresOfFormat1(t *testing.T) {
	const from = "testdata/format1/"
	for name, open := range map[string]func(dir string) (kv.Store, error){
		"badger": func(dir string) (kv.Store, error) {
			store := filepath.Join(dir, "badger")
			if err := os.CopyFS(store, os.DirFS(from+"badger")); err != nil {
				return nil, err
			}
			return badgerkv.Open(store)
		},
		"sqlite": func(dir string) (kv.Store, error) {
			data, err := os.ReadFile(from + "sqlite.db")
			if err != nil {
				return nil, err
			}
			store := filepath.Join(dir, "sqlite.db")
			if err := os.WriteFile(store, data, 0o600); err != nil {
				return nil, err
			}
			return sqlitekv.Open(store)
		},
	} {
		if name == "badger" && !badgerRuns {
			continue
		}
		t.Run(name, func(t *testing.T) {
			data, err := os.ReadFile(from + name + ".json")
			if err != nil {
				t.Fatal(err)
			}
			var messages map[string]kept
			if err := json.Unmarshal(data, &messages); err != nil || len(messages) == 0 {
				t.Fatalf("%d messages, %v", len(messages), err)
			}
			store, err := open(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			goOnWith(t, store, messages)
		})
	}
}

func goOnWith(t *testing.T, store kv.Store, messages map[string]kept) {
	clock := &clock{at: time.Date(2026, 5, 2, 12, 0, 0, 0, time.UTC)}
	s := openStore(t, store, pawl.WithKey([32]byte{1, 2, 3}), pawl.WithClock(clock.now))
	m, err := s.Machine(t.Context(), "@alice:example.org", "PHONE")
	if err != nil {
		t.Fatal(err)
	}
	if got, err := kv.Raise(t.Context(), store); err != nil || got != kv.Format2 {
		t.Errorf("the store has format %d, %v, want 2", got, err)
	}
	for range 2 { // the second time all are duplicates
		for label, k := range messages {
			sender, message := k.incoming(t)
			got, err := m.Decrypt(t.Context(), sender, message)
			if label == "acknowledged pre-key" {
				if !errors.Is(err, pawl.ErrAlreadyProcessed) {
					t.Errorf("%s: %v, want %v", label, err, pawl.ErrAlreadyProcessed)
				}
				continue
			}
			if err != nil || string(got.Plaintext) != k.Text {
				t.Errorf("%s: %q, %v, want %q", label, got.Plaintext, err, k.Text)
			}
		}
	}
	for label, k := range messages {
		sender, message := k.incoming(t)
		if _, err := m.Encrypt(t.Context(), sender, []byte("answer")); err != nil {
			t.Errorf("answer to the sender of the %s: %v", label, err)
		}
		if got, err := m.Decrypt(t.Context(), sender, message); err == nil && !got.Duplicate {
			t.Errorf("%s is new again", label)
		}
	}
	if lines, err := m.Check(t.Context()); err != nil || len(lines) > 0 {
		t.Errorf("check: %q, %v", lines, err)
	}
	u, err := m.KeysForUpload(t.Context(), 1)
	if err != nil || len(u.OneTimeKeys) != 1 {
		t.Errorf("upload of %d keys, %v", len(u.OneTimeKeys), err)
	}
}

// TestRaise: an account is raised by who opens it, or sweeps it, once the store
// may be, under the eyes of others who go on with it.
func TestRaise(t *testing.T) {
	engine := &unraised{Store: newMemory()}
	bob, alice := newDevice(t, engine, "@bob:example.org"), newDevice(t, newMemory(), "@alice:example.org")
	alice.meet(bob)
	old := alice.send(bob, "before")
	bob.receive(alice, old)
	opened := bob.on(engine)
	engine.gone.Store(true)
	if _, err := bob.Sweep(bob.ctx, bob.clock.now()); err != nil {
		t.Fatal(err)
	}
	for i, on := range []*device{bob, opened, bob.on(engine), bob} {
		bob.clock.pass(-time.Hour)
		if d, err := on.Decrypt(bob.ctx, alice.id.Curve25519, old); err != nil || !d.Duplicate || string(d.Plaintext) != "before" {
			t.Errorf("handle %d: a message from before the raise: %+v, %v", i, d, err)
		}
		on.receive(alice, alice.send(bob, "after"))
	}
	// Both names are looked for until the last old one is forgotten.
	if got := bob.receiptsAsked(alice, alice.send(bob, "with old names")); got != 2 {
		t.Errorf("a message asks for %d receipts, want 2", got)
	}
	bob.clock.pass(session.ReceiptMemory + 24*time.Hour)
	if _, err := bob.Sweep(bob.ctx, bob.clock.now()); err != nil {
		t.Fatal(err)
	}
	if got := bob.receiptsAsked(alice, alice.send(bob, "without")); got != 1 {
		t.Errorf("a year later a message asks for %d receipts, want 1", got)
	}
	// The newest session is used next, whatever the clock says.
	newest := alice.send(bob, "a new session", pawl.WithOneTimeKey(bob.oneTimeKey()))
	bob.clock.pass(-100 * 365 * 24 * time.Hour)
	bob.wantNext(alice, bob.receive(alice, newest).Session)
	bob.intact()
}

// receiptsAsked decrypts a message on another handle, which has decrypted one
// before, and returns how many receipts it asks the store for.
func (d *device) receiptsAsked(from *device, m ratchet.Message) int64 {
	d.t.Helper()
	counting := &readings{Store: d.kv, kind: "/receipt/"}
	other := d.on(counting)
	other.receive(from, from.send(d, "before"))
	counting.read.Store(0)
	other.receive(from, m)
	return counting.read.Load()
}

// raisedLater is a design in which an older program lets go of the store when it
// was asked for the n-th time whether it can be raised.
func raisedLater(n uint64) story.Design {
	var asked atomic.Uint64
	return func(store kv.Store) kv.Store { return &laterRaised{store, n, &asked} }
}

type laterRaised struct {
	kv.Store
	n     uint64
	asked *atomic.Uint64
}

// Raise implements kv.Raiser.
func (r *laterRaised) Raise(context.Context) (kv.Format, error) {
	if r.asked.Add(1) > r.n {
		return kv.Format2, nil
	}
	return kv.Format1, nil
}

// Unwrap implements kv.Wrapper.
func (r *laterRaised) Unwrap() kv.Store { return r.Store }

// TestSchedulesAcrossARaise runs schedules in which the account is raised
// somewhere in the middle, by a process that starts or sweeps, under the eyes of
// others that are at work; and some in which it stays in format 1.
func TestSchedulesAcrossARaise(t *testing.T) {
	var failed atomic.Bool
	eachSeed(*storyFrom, uint64(storyMany())/8, func(seed uint64) bool {
		p := story.Generate(seed)
		for i := range p.Actors { // so that there is somebody to raise it
			if a := &p.Actors[i]; a.Name != story.Bob {
				at := int(seed) % (len(a.Ops) + 1)
				a.Ops = slices.Insert(a.Ops, at, story.Op{Kind: []story.Kind{story.Sweep, story.Restart}[seed/8%2]})
			}
		}
		n := 6 + seed%10
		if n == 15 {
			n = 1000 // never
		}
		out := run(t, p, raisedLater(n))
		if len(out.Violations) > 0 && !failed.Swap(true) {
			t.Errorf("seed %d:\n%s\n%s", seed, story.File{Program: out.Program, Design: "raised-later"}, out.Violations)
		}
		return !failed.Load()
	})
}
