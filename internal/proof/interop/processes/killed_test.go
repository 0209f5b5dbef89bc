//go:build unix

package processes_test

import (
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
)

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
			w := c.NewWork(c.Members...)
			wait := w.Begin()
			c.Pause(instant)
			victims := []*member{c.victim()}
			if c.One(6) {
				c.Pause(2 * instant) // during the takeover, perhaps
				victims = append(victims, c.victimBut(victims[0]))
			}
			for _, victim := range victims {
				victim.Process.Doom()
			}
			wait()
			for _, victim := range victims {
				c.Kill(victim)
				c.restart(victim.Name)
			}
			c.Redeliver(w.Letters...)
		}
		c.EndUnrefused()
	})
}

func (c *crew) victim() *member {
	if c.One(4) {
		return c.Any()
	}
	return c.Owner()
}

// victimBut returns the process that took over from a dead one, if one has.
func (c *crew) victimBut(dead *member) *member {
	var second *member
	for _, m := range c.Members {
		if m != dead && (second == nil || m.Process.Owner()) {
			second = m
		}
	}
	return second
}

// restart starts a process again, and may kill it while it opens the store.
func (c *crew) restart(name string) {
	c.Helper()
	for c.One(6) {
		c.KillOpening(name, 10*instant)
	}
	c.Start(name)
}
