//go:build unix

package processes_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/story"
)

// member is a process of the device, and what is noted of it.
type member struct {
	*story.Handle
	process *processes.Process
}

// crew is a device with its processes and its far side.
type crew struct {
	*testing.T
	*story.World
	rng   *rand.Rand
	setup processes.Setup

	mu      sync.Mutex
	last    *processes.Process // that was started
	refused int                // calls of processes that have ended
	members []*member
}

// keysAtFirst is how many one-time keys the server has when a story begins.
const keysAtFirst = 3

// newCrew makes a device. The process that made it, and was in no hurry, has
// ended.
func newCrew(t *testing.T, setup processes.Setup, other interop.Implementation, excuses ...error) *crew {
	t.Helper()
	c := &crew{T: t, setup: setup}
	c.setup.Patience, c.setup.Within = unhurried, 0
	from := *seed
	if from == 0 {
		from = rand.Uint64()
	}
	t.Logf("-processes.seed=%d", from)
	c.rng = rand.New(rand.NewPCG(from, 0))
	if c.setup.Dir == "" {
		c.setup.Dir = t.TempDir()
	}
	w, err := story.NewWorld(t.Context(), story.Setting{
		Peer: interop.NewPeer(other), Start: c.launch,
		Excuse: func(err error) bool {
			return slices.ContainsFunc(excuses, func(e error) bool { return errors.Is(err, e) })
		},
	}, keysAtFirst)
	if err != nil {
		t.Fatal(err)
	}
	c.World = w
	if err := c.last.Close(); err != nil {
		t.Fatal(err)
	}
	c.setup.Patience, c.setup.Within = setup.Patience, setup.Within
	return c
}

// launch is a story.Start.
func (c *crew) launch(_ context.Context, name string, create bool) (story.Device, error) {
	setup := c.setup
	setup.Create = create
	setup.Validated = !setup.Stale && c.one(2) // those of one store need not agree
	p, err := processes.Start(name, setup)
	if err != nil {
		return nil, err
	}
	c.Cleanup(func() {
		if err := p.Kill(); err != nil {
			c.Error(err)
		}
	})
	c.last = p
	return p, nil
}

// start starts a process. On a busy machine a short patience may end before
// another process says something.
func (c *crew) start(name string) *member {
	c.Helper()
	for late := time.Now().Add(processes.Patience); ; {
		m, err := c.tryStart(name)
		if err == nil {
			return m
		}
		if !refused(err) || time.Now().After(late) {
			c.Fatal(err)
		}
	}
}

func (c *crew) tryStart(name string) (*member, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, err := c.Open(c.Context(), name)
	if err != nil {
		return nil, err
	}
	m := &member{h, c.last}
	c.members = append(c.members, m)
	return m, nil
}

// close lets a process end.
func (c *crew) close(m *member) {
	c.Helper()
	c.forget(m)
	if err := m.process.Close(); err != nil {
		c.Error(err)
	}
}

// kill kills a process.
func (c *crew) kill(m *member) {
	c.Helper()
	c.forget(m)
	if err := m.process.Kill(); err != nil {
		c.Error(err)
	}
}

func (c *crew) forget(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = slices.DeleteFunc(c.members, func(one *member) bool { return one == m })
	c.refused += m.process.Refused()
}

// processes returns all that run, but one.
func (c *crew) processes(but *member) []*processes.Process {
	var others []*processes.Process
	for _, m := range c.members {
		if m != but {
			others = append(others, m.process)
		}
	}
	return others
}

// member returns the one whose process it is.
func (c *crew) member(p *processes.Process) *member {
	return c.members[slices.IndexFunc(c.members, func(m *member) bool { return m.process == p })]
}

// owner returns the process that owns the store, or any where none does.
func (c *crew) owner() *member {
	for _, m := range c.members {
		if m.process.Owner() {
			return m
		}
	}
	return c.any()
}

func (c *crew) any() *member { return c.members[c.rng.IntN(len(c.members))] }

func (c *crew) one(in int) bool { return c.rng.IntN(in) == 0 }

// pause is for an instant that nobody chose.
func (c *crew) pause(most time.Duration) { <-time.After(time.Duration(c.rng.Int64N(int64(most)))) }
