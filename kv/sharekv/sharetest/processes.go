//go:build linux || darwin

package sharetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/processes"
)

// Main is what the TestMain of a package calls that calls RunProcesses.
func Main(m *testing.M, k Kit) { processes.Main(m, k.roles()) }

// Roles of processes.
const (
	roleHold    = "hold"    // has the store open and does nothing
	roleBefore  = "before"  // stops for good before its first commit is durable
	roleAfter   = "after"   // stops for good when its first commit is durable
	saysOpen    = "open"    // and whether this is the owner
	saysLocked  = "locked"  // the engine is about to be opened
	saysOwner   = "owner"   // this process has become the owner
	saysStopped = "stopped" // in its first commit
)

func (k Kit) roles() map[string]processes.Role {
	stop := func() {
		fmt.Println(saysStopped)
		select {}
	}
	return map[string]processes.Role{
		roleHold:            func(dir string) error { return k.hold(dir, Options{}) },
		roleBefore:          func(dir string) error { return k.hold(dir, Options{Committing: stop}) },
		roleAfter:           func(dir string) error { return k.hold(dir, Options{Committed: stop}) },
		processes.CountRole: k.countIn,
	}
}

func (k Kit) hold(dir string, o Options) error {
	store, err := k.Open(dir, o)
	if err != nil {
		return err
	}
	fmt.Println(saysOpen, store.Status().Owner)
	<-processes.InputEnded()
	return store.Close()
}

func (k Kit) countIn(dir string) error {
	store, err := k.Open(dir, Options{Locked: func() { fmt.Println(saysLocked) }})
	if err != nil {
		return err
	}
	term := uint64(0)
	return processes.Count(store, dir, func() {
		if status := store.Status(); status.Owner && status.Term != term {
			term = status.Term
			fmt.Println(saysOwner)
		}
	})
}

// RunProcesses tests how processes share a store while owners are stopped and
// killed: no acknowledged commit is lost, none is applied twice, and guests take
// over. In each test of it so many are killed; seed is of everything random, and
// 0 another each time.
func RunProcesses(t *testing.T, k Kit, kills int, seed uint64) {
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	for _, c := range []struct {
		name string
		run  func(*kit)
	}{
		{"FrozenOwner", frozenOwner},
		{"KilledDuringCommit", killedDuringCommit},
		{"KilledAtRandom", func(k *kit) { killedAtRandom(k, k.crew(seed), kills) }},
		{"KilledDuringTakeover", func(k *kit) { killedDuringTakeover(k, k.crew(seed), kills/2) }},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(&kit{t, k}) })
	}
}

func (k *kit) crew(seed uint64) *processes.Crew {
	return processes.NewCrew(k.T, 4, NewDir(k), rand.New(rand.NewPCG(seed, 0)))
}

// killedAtRandom kills processes, the owner more often than not, at any instant
// of their work.
func killedAtRandom(k *kit, c *processes.Crew, kills int) {
	owner := c.Wait(saysOwner)
	for range kills {
		for range c.Rand.IntN(12) {
			c.Wait("counted")
		}
		c.Pause(3 * time.Millisecond)
		if c.Rand.IntN(4) == 0 {
			victim := c.Rand.IntN(len(c.Members))
			c.Replace(victim)
			if victim != owner {
				continue
			}
		} else {
			c.Replace(owner)
		}
		owner = c.Wait(saysOwner)
	}
	c.Check(func() (kv.Store, error) { return k.Open(c.Dir, Options{}) })
}

// killedDuringTakeover kills each owner, and then whoever takes over at some
// instant of opening the engine, and the next one, too.
func killedDuringTakeover(k *kit, c *processes.Crew, rounds int) {
	owner := c.Wait(saysOwner)
	for range rounds {
		c.Wait("counted")
		c.Replace(owner)
		for range 1 + c.Rand.IntN(2) {
			next := c.Wait(saysLocked)
			c.Pause(20 * time.Millisecond)
			c.Replace(next)
		}
		owner = c.Wait(saysOwner)
	}
	c.Check(func() (kv.Store, error) { return k.Open(c.Dir, Options{}) })
}

// killedDuringCommit kills the owner in a guest's commit, before and after it
// is durable: the guest becomes the owner and finds out by itself what became of
// it.
func killedDuringCommit(k *kit) {
	for _, role := range []string{roleBefore, roleAfter} {
		k.Run(role, func(t *testing.T) {
			k := &kit{t, k.Kit}
			dir := NewDir(k)
			stuck := processes.Start(k, role, dir)
			stuck.Says(saysOpen + " true")
			store := k.open(dir)
			b := batch("a", "1")
			b.Reads = []kv.Read{{Key: "a"}}
			type outcome struct {
				version kv.Version
				err     error
			}
			done := make(chan outcome, 1)
			go func() {
				version, err := store.Commit(k.Context(), b)
				done <- outcome{version, err}
			}()
			stuck.Says(saysStopped)
			stuck.Kill()
			got := <-done
			if got.err != nil {
				k.Fatalf("a commit whose owner was killed: %v", got.err)
			}
			if e := k.get(store, "a"); string(e.Value) != "1" || e.Version != got.version {
				k.Errorf("a is %q at version %d, want 1 at %d", e.Value, e.Version, got.version)
			}
			if again := k.commit(store, b); again != got.version {
				k.Errorf("committed again it has version %d, want %d", again, got.version)
			}
		})
	}
}

// short is the patience of a test that waits until it is over.
const short = 300 * time.Millisecond

// frozenOwner stops the owner for longer than the patience: what was sent is
// unknown, what was not is unavailable, nothing takes much longer than the
// patience, and when the owner goes on so does everything.
func frozenOwner(k *kit) {
	dir := NewDir(k)
	holder := processes.Start(k, roleHold, dir)
	holder.Says(saysOpen + " true")
	store := k.openWith(dir, Options{Patience: short})
	k.put(store, "a", "1")
	view := store.Snapshot()
	defer view.Close()
	if _, err := view.Get(k.Context(), "a"); err != nil {
		k.Fatal(err)
	}

	holder.Freeze()
	sent := batch("a", "2")
	k.inPatience("a commit that was sent", kv.ErrUnknown, func() error {
		_, err := store.Commit(k.Context(), sent)
		return err
	})
	k.inPatience("the same commit again", nil, func() error {
		_, err := store.Commit(k.Context(), sent)
		if !kv.OutcomeOf(err).MayAsk() {
			k.Errorf("the same commit again: %v", err)
		}
		return nil
	})
	never := batch("never", "1")
	k.inPatience("a commit that was not sent", kv.ErrUnavailable, func() error {
		_, err := store.Commit(k.Context(), never)
		return err
	})
	k.inPatience("a read", kv.ErrUnavailable, func() error {
		snapshot := store.Snapshot()
		defer snapshot.Close()
		_, err := snapshot.Get(k.Context(), "a")
		return err
	})
	k.inPatience("a read of the view from before", kv.ErrConflict, func() error {
		_, err := view.Get(k.Context(), "a")
		return err
	})
	k.inPatience("a turn", kv.ErrUnavailable, func() error {
		_, err := store.Turn(k.Context(), "a")
		return err
	})
	k.inPatience("opening", kv.ErrUnavailable, func() error {
		other, err := k.Open(dir, Options{Patience: short})
		if err == nil {
			other.Close()
		}
		return err
	})

	holder.Thaw()
	version := k.resolve(store, sent)
	if e := k.get(store, "a"); string(e.Value) != "2" || e.Version != version {
		k.Errorf("a is %q at version %d, want 2 at %d", e.Value, e.Version, version)
	}
	if e := k.get(store, "never"); e.Exists() {
		k.Error("what was unavailable was applied")
	}
	if again := k.commit(store, sent); again != version {
		k.Errorf("committed again it has version %d, want %d", again, version)
	}
	if store.Status().Owner {
		k.Error("another process owns the store that was only stopped")
	}
	holder.Finish()
	k.put(store, "a", "3")
	if !store.Status().Owner {
		k.Error("nobody took over")
	}
}

// inPatience checks an outcome, and that it came neither late nor after waiting
// much longer than the patience.
func (k *kit) inPatience(what string, want error, call func() error) {
	k.Helper()
	began := time.Now()
	if err := call(); !errors.Is(err, want) || errors.Is(want, kv.ErrUnavailable) && errors.Is(err, kv.ErrUnknown) {
		k.Errorf("%s: %v, want %v", what, err, want)
	}
	if took := time.Since(began); took > 4*short {
		k.Errorf("%s took %v with a patience of %v", what, took, short)
	}
}

// resolve commits the identical batch until its outcome is known.
func (k *kit) resolve(store Store, b *kv.Batch) kv.Version {
	k.Helper()
	for late := time.Now().Add(processes.Patience); ; {
		version, err := store.Commit(k.Context(), b)
		if err == nil {
			return version
		}
		if !kv.OutcomeOf(err).MayAsk() || time.Now().After(late) {
			k.Fatalf("a commit that was unknown: %v", err)
		}
	}
}
