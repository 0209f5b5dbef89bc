//go:build linux || darwin

package sharetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/processes"
)

// Main is what the TestMain of a package calls that calls RunProcesses.
func Main(m *testing.M, s Subject) { processes.Main(m, s.roles()) }

// Roles of processes.
const (
	roleHold    = "hold"    // has the store open and does nothing
	roleBefore  = "before"  // stops for good before its first commit is durable
	roleAfter   = "after"   // stops for good when its first commit is durable
	roleHurried = "hurried" // counts, with little patience
	saysOpen    = "open"    // and whether this is the owner
	saysLocked  = "locked"  // the engine is about to be opened
	saysOwner   = "owner"   // this process has become the owner
	saysStopped = "stopped" // in its first commit
)

func (s Subject) roles() map[string]processes.Role {
	stop := func() {
		fmt.Println(saysStopped)
		select {}
	}
	return map[string]processes.Role{
		roleHold:            func(dir string) error { return s.hold(dir, Options{}) },
		roleBefore:          func(dir string) error { return s.hold(dir, Options{Committing: stop}) },
		roleAfter:           func(dir string) error { return s.hold(dir, Options{Committed: stop}) },
		roleHurried:         func(dir string) error { return s.countIn(dir, short) },
		processes.CountRole: func(dir string) error { return s.countIn(dir, 0) },
	}
}

func (s Subject) hold(dir string, o Options) error {
	store, err := s.Open(dir, o)
	if err != nil {
		return err
	}
	fmt.Println(saysOpen, store.Status().Owner)
	<-processes.InputEnded()
	return store.Close()
}

func (s Subject) countIn(dir string, patience time.Duration) error {
	open := func() (Store, error) {
		return s.Open(dir, Options{Patience: patience, Locked: func() { fmt.Println(saysLocked) }})
	}
	store, err := open()
	if patience > 0 { // so little that the owner may be stopped for longer, just now
		for late := time.Now().Add(time.Minute); errors.Is(err, kv.ErrUnavailable) && time.Now().Before(late); {
			store, err = open()
		}
	}
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
func RunProcesses(t *testing.T, s Subject, kills int, seed uint64) {
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("seed %d", seed)
	for _, c := range []struct {
		name string
		run  func(*trial)
	}{
		{"FrozenOwner", frozenOwner},
		{"KilledDuringCommit", killedDuringCommit},
		{"FrozenAtRandom", func(t *trial) { frozenAtRandom(t, seed, kills/4) }},
		{"KilledAtRandom", func(t *trial) { killedAtRandom(t, t.crew(seed), kills) }},
		{"KilledDuringTakeover", func(t *trial) { killedDuringTakeover(t, t.crew(seed), kills/2) }},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(&trial{t, s}) })
	}
}

func (t *trial) crew(seed uint64) *processes.Crew {
	return processes.NewCrew(t.T, 4, NewDir(t), rand.New(rand.NewPCG(seed, 0)))
}

// frozenAtRandom stops processes, the owner or others, at any instant of their work,
// for less than the patience or for more. What is refused meanwhile was not applied,
// what is unknown is resolved when they go on, and one history explains all.
func frozenAtRandom(t *trial, seed uint64, rounds int) {
	c := processes.NewCrewIn(t.T, roleHurried, 4, NewDir(t), rand.New(rand.NewPCG(seed, 0)))
	owner := c.Wait(saysOwner)
	for range rounds {
		c.Wait("counted")
		c.Pause(3 * time.Millisecond)
		victim, most := owner, 3*short
		if c.Rand.IntN(3) == 0 {
			victim, most = c.Rand.IntN(len(c.Members)), short/10 // the others work on
		}
		c.Members[victim].Freeze()
		c.Pause(most)
		c.Members[victim].Thaw()
	}
	c.Wait("counted")
	c.Check(func() (kv.Store, error) { return t.Open(c.Dir, Options{}) })
}

// killedAtRandom kills processes, the owner more often than not, at any instant
// of their work.
func killedAtRandom(t *trial, c *processes.Crew, kills int) {
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
	c.Check(func() (kv.Store, error) { return t.Open(c.Dir, Options{}) })
}

// killedDuringTakeover kills each owner, and then whoever takes over at some
// instant of opening the engine, and the next one, too.
func killedDuringTakeover(t *trial, c *processes.Crew, rounds int) {
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
	c.Check(func() (kv.Store, error) { return t.Open(c.Dir, Options{}) })
}

// killedDuringCommit kills the owner in a guest's commit, before and after it
// is durable: the guest becomes the owner and finds out by itself what became of
// it.
func killedDuringCommit(t *trial) {
	for _, role := range []string{roleBefore, roleAfter} {
		t.Run(role, func(inner *testing.T) {
			t := &trial{inner, t.Subject}
			dir := NewDir(t)
			stuck := processes.Start(t, role, dir)
			stuck.Says(saysOpen + " true")
			store := t.open(dir)
			b := batch("a", "1")
			b.Reads = []kv.Read{{Key: "a"}}
			type outcome struct {
				version kv.Version
				err     error
			}
			done := make(chan outcome, 1)
			go func() {
				version, err := store.Commit(t.Context(), b)
				done <- outcome{version, err}
			}()
			stuck.Says(saysStopped)
			stuck.Kill()
			got := <-done
			if got.err != nil {
				t.Fatalf("a commit whose owner was killed: %v", got.err)
			}
			if e := t.get(store, "a"); string(e.Value) != "1" || e.Version != got.version {
				t.Errorf("a is %q at version %d, want 1 at %d", e.Value, e.Version, got.version)
			}
			if again := t.commit(store, b); again != got.version {
				t.Errorf("committed again it has version %d, want %d", again, got.version)
			}
		})
	}
}

// short is the patience of a test that waits until it is over.
const short = 300 * time.Millisecond

// frozenOwner stops the owner for longer than the patience: what was sent is
// unknown, what was not is unavailable, nothing takes much longer than the
// patience, and when the owner goes on so does everything.
func frozenOwner(t *trial) {
	dir := NewDir(t)
	holder := processes.Start(t, roleHold, dir)
	holder.Says(saysOpen + " true")
	store := t.openWith(dir, Options{Patience: short})
	t.put(store, "a", "1")
	view := store.Snapshot()
	defer view.Close()
	if _, err := view.Get(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}

	holder.Freeze()
	named := fmt.Sprintf("process %d has the store and has not answered for %v: is it stopped?", store.Status().PID, short)
	sent := batch("a", "2")
	t.inPatience("a commit that was sent", kv.ErrUnknown, func() error {
		_, err := store.Commit(t.Context(), sent)
		return err
	})
	t.inPatience("the same commit again", nil, func() error {
		_, err := store.Commit(t.Context(), sent)
		if !kv.OutcomeOf(err).MayAsk() {
			t.Errorf("the same commit again: %v", err)
		}
		return nil
	})
	never := batch("never", "1")
	t.inPatience("a commit that was not sent", kv.ErrUnavailable, func() error {
		_, err := store.Commit(t.Context(), never)
		if !strings.Contains(fmt.Sprint(err), named) {
			t.Errorf("%v, want: %s", err, named)
		}
		return err
	})
	t.inPatience("a read", kv.ErrUnavailable, func() error {
		snapshot := store.Snapshot()
		defer snapshot.Close()
		_, err := snapshot.Get(t.Context(), "a")
		return err
	})
	t.inPatience("a read of the view from before", kv.ErrConflict, func() error {
		_, err := view.Get(t.Context(), "a")
		return err
	})
	t.inPatience("a turn", kv.ErrUnavailable, func() error {
		_, err := store.Turn(t.Context(), "a")
		return err
	})
	t.inPatience("opening", kv.ErrUnavailable, func() error {
		other, err := t.Open(dir, Options{Patience: short})
		if err == nil {
			other.Close()
		}
		if !strings.Contains(fmt.Sprint(err), named) {
			t.Errorf("%v, want: %s", err, named)
		}
		return err
	})

	holder.Thaw()
	version := t.resolve(store, sent)
	if e := t.get(store, "a"); string(e.Value) != "2" || e.Version != version {
		t.Errorf("a is %q at version %d, want 2 at %d", e.Value, e.Version, version)
	}
	if e := t.get(store, "never"); e.Exists() {
		t.Error("what was unavailable was applied")
	}
	if again := t.commit(store, sent); again != version {
		t.Errorf("committed again it has version %d, want %d", again, version)
	}
	if store.Status().Owner {
		t.Error("another process owns the store that was only stopped")
	}
	holder.Finish()
	t.put(store, "a", "3")
	if !store.Status().Owner {
		t.Error("nobody took over")
	}
}

// inPatience checks an outcome, and that it came neither late nor after waiting
// much longer than the patience.
func (t *trial) inPatience(what string, want error, call func() error) {
	t.Helper()
	began := time.Now()
	if err := call(); !errors.Is(err, want) || errors.Is(want, kv.ErrUnavailable) && errors.Is(err, kv.ErrUnknown) {
		t.Errorf("%s: %v, want %v", what, err, want)
	}
	if took := time.Since(began); took > 4*short {
		t.Errorf("%s took %v with a patience of %v", what, took, short)
	}
}

// resolve commits the identical batch until its outcome is known.
func (t *trial) resolve(store Store, b *kv.Batch) kv.Version {
	t.Helper()
	for late := time.Now().Add(processes.Patience); ; {
		version, err := store.Commit(t.Context(), b)
		if err == nil {
			return version
		}
		if !kv.OutcomeOf(err).MayAsk() || time.Now().After(late) {
			t.Fatalf("a commit that was unknown: %v", err)
		}
	}
}
