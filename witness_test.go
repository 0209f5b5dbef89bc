package pawl_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/matrix"
)

// Who finds that the newest commits are missing says what is left.
func TestLostCommitsAreNamed(t *testing.T) {
	alice, w := witnessed(t)
	bob := newDevice(t, newMemory(), "@bob:example.org")
	alice.meet(bob)
	old := back(t, alice.kv)
	alice.send(bob, "lost")
	restored := alice.on(old.restore(t), pawl.WithWitness(w))
	_, err := restored.Encrypt(restored.ctx, bob.id.Curve25519, nil)
	want := fmt.Sprintf("the store went back in time (it goes to version %d, and %d was committed)", old.head, old.head+1)
	if !errors.Is(err, pawl.ErrNeedsRecovery) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("encrypting: %v, want %q", err, want)
	}
}

func TestSameStoreNeedsNoRecovery(t *testing.T) {
	alice, w := witnessed(t)
	bob := newDevice(t, newMemory(), "@bob:example.org")
	alice.meet(bob)
	for range 3 {
		alice = alice.on(back(t, alice.kv).restore(t), pawl.WithWitness(w)) // closed and opened
		alice.needsNoRecovery()
		bob.receive(alice, alice.send(bob, "hello"))
	}
	// One that wrote without its witness is ahead of it.
	plain := alice.on(alice.kv)
	plain.receive(bob, bob.send(alice, "hello"))
	alice.on(alice.kv, pawl.WithWitness(w)).needsNoRecovery()
}

func TestWitnessThatCannotTell(t *testing.T) {
	other := witness.Mark{Store: witness.StoreID{1}, Generation: 1, Head: 1}
	for name, test := range map[string]struct {
		mark  func(m witness.Mark) witness.Mark
		cause account.Cause
	}{
		"deleted":          {func(witness.Mark) witness.Mark { return witness.Mark{} }, account.Unwitnessed},
		"of another store": {func(witness.Mark) witness.Mark { return other }, account.Unwitnessed},
		"of an earlier generation": {func(m witness.Mark) witness.Mark {
			m.Generation = 0
			return m
		}, account.Unwitnessed},
		"of a later generation": {func(m witness.Mark) witness.Mark {
			m.Generation++
			return m
		}, account.Behind},
		"ahead by one commit": {func(m witness.Mark) witness.Mark {
			m.Head++
			return m
		}, account.Behind},
	} {
		t.Run(name, func(t *testing.T) {
			alice, w := witnessed(t)
			bob := newDevice(t, newMemory(), "@bob:example.org")
			alice.meet(bob)
			w.mark = test.mark(w.mark)
			alice = alice.on(alice.kv, pawl.WithWitness(w))
			alice.refusesToSend(bob, test.cause)
			alice = alice.on(alice.kv, pawl.WithWitness(w))
			alice.refusesToSend(bob, test.cause)
			alice.recover()
			alice.on(alice.kv, pawl.WithWitness(w)).needsNoRecovery()
		})
	}
}

func TestWitnessThatFails(t *testing.T) {
	alice, w := witnessed(t)
	w.fail = errors.New("the keychain is locked")
	if _, err := pawl.Open(t.Context(), alice.kv, testKey, pawl.WithWitness(w)); !errors.Is(err, w.fail) {
		t.Errorf("open: %v, want the witness's error", err)
	}
	// What is open goes on: the witness lags.
	alice.upload(1)
	w.fail = nil
	alice.on(alice.kv, pawl.WithWitness(w)).needsNoRecovery()
}

// What a witness cannot notice where it is goes into the log at each opening.
func TestBlindWitnessIsNamed(t *testing.T) {
	for _, why := range []string{"", "all files are alike"} {
		var log strings.Builder
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		openStore(t, newMemory(), testKey, pawl.WithWitness(blind{&keychain{}, why}), pawl.WithLogger(logger))
		if why == "" && log.Len() > 0 || why != "" && (!strings.Contains(log.String(), why) || !strings.Contains(log.String(), "WithWitness")) {
			t.Errorf("blind because %q, the log says %q", why, log.String())
		}
	}
}

type blind struct {
	*keychain
	why string
}

func (b blind) Blind() string { return b.why }

// A store from before there were witnesses is taken as it is.
func TestFirstWitness(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	old := back(t, alice.kv)
	for name, mark := range map[string]witness.Mark{
		"none yet":         {},
		"of another store": {Store: witness.StoreID{1}, Generation: 7, Head: 1000},
	} {
		w := &keychain{mark: mark}
		first := alice.on(old.restore(t), pawl.WithWitness(w))
		first.needsNoRecovery()
		early := back(t, first.kv)
		first.send(bob, "hello")
		// From here on it counts, also for a copy from before.
		first.on(early.restore(t), pawl.WithWitness(w)).refusesToSend(bob, account.Behind)
		w = &keychain{mark: w.mark}
		if first.on(old.restore(t), pawl.WithWitness(w)).refusesToSend(bob, account.Behind); t.Failed() {
			t.Fatalf("with a witness that is %s", name)
		}
	}
}

// While one process asks the new witness of an old store, another one gives it
// its first mark: what the first was told is out of date.
func TestAnswerOfTheWitnessFromBefore(t *testing.T) {
	alice, _ := pair(t)
	w := &keychain{}
	late := &lateLoad{keychain: w}
	late.meanwhile = func() { alice.on(alice.kv, pawl.WithWitness(w)) }
	alice.on(alice.kv, pawl.WithWitness(late)).needsNoRecovery()
	if late.meanwhile != nil {
		t.Error("nothing happened meanwhile")
	}
}

// lateLoad is a witness whose first answer takes a while.
type lateLoad struct {
	*keychain
	meanwhile func()
}

func (w *lateLoad) Load(ctx context.Context) (witness.Mark, error) {
	m, err := w.keychain.Load(ctx)
	if f := w.meanwhile; f != nil {
		w.meanwhile = nil
		f()
	}
	return m, err
}

// All that open a store at the same time find nothing wrong with it.
func TestOpeningAtTheSameTime(t *testing.T) {
	for range 50 {
		store, w := newMemory(), &keychain{}
		var group sync.WaitGroup
		for i := range 4 {
			group.Go(func() {
				s, err := pawl.Open(t.Context(), store, testKey, pawl.WithWitness(w))
				if err != nil {
					t.Error(err)
					return
				}
				if _, err := s.Create(t.Context(), matrix.UserID(fmt.Sprintf("@user%d:example.org", i)), "DEVICE"); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		s := openStore(t, store, testKey, pawl.WithWitness(w))
		for i := range 4 {
			m, err := s.Machine(t.Context(), matrix.UserID(fmt.Sprintf("@user%d:example.org", i)), "DEVICE")
			if err != nil {
				t.Fatal(err)
			}
			if why, needed, err := m.NeedsRecovery(t.Context()); needed || err != nil {
				t.Fatalf("user %d needs recovery because %s; %v", i, why.Cause, err)
			}
		}
	}
}

// The engine changes hands while a store is opened, so that views are lost.
func TestViewsLostWhileOpening(t *testing.T) {
	for _, store := range []kv.Store{newMemory(), newDevice(t, newMemory(), "@alice:example.org").kv} {
		lost := 0
		losing := faulty.Wrap(store, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
			if c.Op != faulty.Version && c.Op != faulty.Scan {
				return nil
			}
			if lost++; lost < 12 && lost%3 > 0 {
				return fmt.Errorf("%w: the view is gone", kv.ErrConflict)
			}
			return nil
		}})
		openStore(t, losing, testKey, pawl.WithWitness(&keychain{}))
		if lost == 0 {
			t.Error("no view was lost")
		}
	}
}

func TestAllAccountsButRetiredOnesNeedRecovery(t *testing.T) {
	alice, w := witnessed(t)
	second, err := alice.store.Create(alice.ctx, "@alice:example.org", "TABLET")
	if err != nil {
		t.Fatal(err)
	}
	w.mark.Head++
	openStore(t, alice.kv, testKey, pawl.WithWitness(w))
	for _, m := range []*pawl.Machine{alice.Machine, second} {
		if _, needed, err := m.NeedsRecovery(t.Context()); !needed || err != nil {
			t.Errorf("needs recovery: %v, %v", needed, err)
		}
	}
	alice.recover()
	if _, needed, err := second.NeedsRecovery(t.Context()); !needed || err != nil {
		t.Errorf("the other account: %v, %v, want it to need recovery still", needed, err)
	}
}
