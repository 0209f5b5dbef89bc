//go:build unix

package processes_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/story"
)

// TestKilledDuringTakeover kills the owner, and whoever takes over while it
// opens the store, and perhaps the next.
func TestKilledDuringTakeover(t *testing.T) {
	for _, other := range interop.Others() {
		t.Run(other.Name(), func(t *testing.T) {
			t.Parallel()
			c := newFamily(t, processes.Setup{Engine: processes.Badger, Patience: unhurried, Tell: true}, other, processes.ErrGone)
			for range times {
				c.killInTurn(1 + c.rng.IntN(2))
				for len(c.members) < len(names) {
					c.start(names[len(c.members)])
				}
				c.redeliver(c.letter(false))
			}
			c.finishUnrefused()
		})
		if !*all {
			break
		}
	}
}

// killInTurn kills the owner and then so many of those that take over, while
// all work.
func (c *crew) killInTurn(heirs int) {
	c.Helper()
	w := c.newWork(c.members...)
	for _, m := range c.members {
		m.process.Forget()
		w.add(func() { _, _ = m.Receive(c.Context(), w.letters[0]) }) // somebody needs the store
	}
	wait := w.begin()
	var asking sync.WaitGroup
	victim := c.owner()
	for range heirs {
		c.kill(victim)
		for _, p := range c.processes(nil) { // what they were at may be done
			asking.Go(func() { _, _ = p.Inspect(c.Context()) })
		}
		heir, err := processes.Await(processes.Opening, c.processes(nil)...)
		if err != nil {
			c.Fatal(err)
		}
		c.pause(10 * time.Millisecond)
		victim = c.member(heir)
	}
	c.kill(victim)
	wait()
	asking.Wait()
	if len(c.members) == 0 {
		c.start(names[0])
	}
	c.redeliver(w.letters...)
}

// TestTwoTakeovers lets two processes notice at once that the owner is gone, and
// two more open the store meanwhile: one becomes the owner.
func TestTwoTakeovers(t *testing.T) {
	c := newFamily(t, processes.Setup{Engine: processes.Badger, Patience: unhurried}, interop.Others()[0], processes.ErrGone)
	for range times {
		dead := c.owner()
		dead.process.Doom()
		letter := c.letter(false)
		calls := []func(){}
		for _, m := range c.members {
			if m != dead {
				calls = append(calls, func() { _, _ = m.Receive(t.Context(), letter) })
			}
		}
		started := make([]error, 2)
		for i := range started {
			p, err := processes.Begin("share")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = p.Kill() })
			calls = append(calls, func() {
				if started[i] = p.Open(c.setup); started[i] == nil {
					started[i] = p.Close()
				}
			})
		}
		story.Together(calls...)
		if err := errors.Join(started...); err != nil {
			t.Fatal(err)
		}
		c.kill(dead)
		c.start(dead.Name)
		c.redeliver(letter)
		owners := 0
		for _, m := range c.members {
			if _, err := m.Machine.Identity(t.Context()); err != nil {
				t.Fatal(err)
			}
			if m.process.Owner() {
				owners++
			}
		}
		if owners != 1 {
			t.Fatalf("%d processes own the store", owners)
		}
	}
	c.finishUnrefused()
}
