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
				c.killInTurn(1 + c.Rand.IntN(2))
				for len(c.Members) < len(names) {
					c.Start(names[len(c.Members)])
				}
				c.Redeliver(c.Letter(false))
			}
			c.EndUnrefused()
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
	w := c.NewWork(c.Members...)
	for _, m := range c.Members {
		m.Process.Forget()
		w.Add(func() { _, _ = m.Receive(c.Context(), w.Letters[0]) }) // somebody needs the store
	}
	wait := w.Begin()
	var asking sync.WaitGroup
	victim := c.Owner()
	for range heirs {
		c.Kill(victim)
		for _, p := range c.Processes(nil) { // what they were at may be done
			asking.Go(func() { _, _ = p.Inspect(c.Context()) })
		}
		heir, err := processes.Await(processes.Opening, c.Processes(nil)...)
		if err != nil {
			c.Fatal(err)
		}
		c.Pause(10 * time.Millisecond)
		victim = c.Member(heir)
	}
	c.Kill(victim)
	wait()
	asking.Wait()
	if len(c.Members) == 0 {
		c.Start(names[0])
	}
	c.Redeliver(w.Letters...)
}

// TestTwoTakeovers lets two processes notice at once that the owner is gone, and
// two more open the store meanwhile: one becomes the owner.
func TestTwoTakeovers(t *testing.T) {
	c := newFamily(t, processes.Setup{Engine: processes.Badger, Patience: unhurried}, interop.Others()[0], processes.ErrGone)
	for range times {
		dead := c.Owner()
		dead.Process.Doom()
		letter := c.Letter(false)
		calls := []func(){}
		for _, m := range c.Members {
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
				if started[i] = p.Open(c.Setup); started[i] == nil {
					started[i] = p.Close()
				}
			})
		}
		story.Together(calls...)
		if err := errors.Join(started...); err != nil {
			t.Fatal(err)
		}
		c.Kill(dead)
		c.Start(dead.Name)
		c.Redeliver(letter)
		owners := 0
		for _, m := range c.Members {
			if _, err := m.Machine.Identity(t.Context()); err != nil {
				t.Fatal(err)
			}
			if m.Process.Owner() {
				owners++
			}
		}
		if owners != 1 {
			t.Fatalf("%d processes own the store", owners)
		}
	}
	c.EndUnrefused()
}
