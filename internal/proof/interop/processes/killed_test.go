//go:build unix

package processes_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
)

var names = []string{"app", "nse", "share"}

// newFamily is a crew of three that have talked with the far side.
func newFamily(t *testing.T, setup processes.Setup, other interop.Implementation, excuses ...error) *crew {
	t.Helper()
	c := newCrew(t, setup, other, excuses...)
	for _, name := range names {
		c.start(name)
	}
	c.redeliver(c.letter(false))
	c.members[0].Post(t.Context(), false)
	c.ReadAll()
	return c
}

// unhurried is the patience of processes when no other is ever stopped: only a
// fault of ours could make them wait so long.
const unhurried = time.Minute

// instant is within what a process is at when it is killed.
const instant = 4 * time.Millisecond

// TestKilledAtAnyInstant kills processes while all work, the owner more often
// than not, sometimes the one that takes over as well, and sometimes the one
// that is started in place of the dead while it opens the store.
func TestKilledAtAnyInstant(t *testing.T) {
	eachStore(t, func(t *testing.T, engine string, other interop.Implementation) {
		t.Parallel()
		// Whoever dies, the others only wait: nothing is unavailable to them.
		c := newFamily(t, processes.Setup{Engine: engine, Patience: unhurried}, other, processes.ErrGone)
		for range *kills {
			w := c.newWork(c.members...)
			wait := w.begin()
			c.pause(instant)
			victims := []*member{c.victim()}
			if c.one(6) {
				c.pause(2 * instant) // during the takeover, perhaps
				victims = append(victims, c.victimBut(victims[0]))
			}
			for _, victim := range victims {
				victim.process.Doom()
			}
			wait()
			for _, victim := range victims {
				c.kill(victim)
				c.restart(victim.Name)
			}
			c.redeliver(w.letters...)
		}
		c.finishUnrefused()
	})
}

func (c *crew) victim() *member {
	if c.one(4) {
		return c.any()
	}
	return c.owner()
}

// victimBut returns the process that took over from a dead one, if one has.
func (c *crew) victimBut(dead *member) *member {
	var second *member
	for _, m := range c.members {
		if m != dead && (second == nil || m.process.Owner()) {
			second = m
		}
	}
	return second
}

// restart starts a process again, and may kill it while it opens the store.
func (c *crew) restart(name string) {
	c.Helper()
	for c.one(6) {
		p, err := processes.Begin(name)
		if err != nil {
			c.Fatal(err)
		}
		opened := make(chan error, 1)
		go func() { opened <- p.Open(c.setup) }()
		c.pause(10 * instant)
		if err := p.Kill(); err != nil {
			c.Error(err)
		}
		if err := <-opened; err != nil && !errors.Is(err, processes.ErrGone) {
			c.Errorf("opening: %v", err)
		}
	}
	c.start(name)
}
