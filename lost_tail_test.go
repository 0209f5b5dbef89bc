package pawl_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

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
