//go:build unix

package crews

import (
	"context"
	"errors"
	"math/rand/v2"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/story"
)

// Unhurried is the patience of processes when no other is ever stopped: only a fault of
// ours could make them wait so long.
const Unhurried = time.Minute

// Names are those of the processes of a family.
var Names = []string{"app", "nse", "share"}

// Member is a process of the device, and what is noted of it.
type Member struct {
	*story.Handle
	Process *processes.Process
}

// Crew is a device with its processes and its far side. Its methods fail the test.
type Crew struct {
	*testing.T
	*story.World
	Rand    *rand.Rand
	Setup   processes.Setup // of those that are started from now on
	Members []*Member       // that run
	Refused int             // calls of processes that have ended, as Process.Refused counts

	Through func(story.Device) story.Device // what stands between the story and a process; nil: nothing

	place Place
	mu    sync.Mutex
	last  *processes.Process // that was started
}

// Place is where a process of a name runs: what starts it, and how it opens the store
// there.
type Place func(name string, setup processes.Setup) (start func(*exec.Cmd) error, there processes.Setup)

// here is this machine, where all that is in a directory is the same to all.
func here(_ string, setup processes.Setup) (func(*exec.Cmd) error, processes.Setup) {
	return (*exec.Cmd).Start, setup
}

// keysAtFirst is how many one-time keys the server has when a story begins.
const keysAtFirst = 3

// New makes a device whose processes run on this machine. The one that made it, and was in
// no hurry, has ended. Errors that are excused say nothing of a message.
func New(t *testing.T, seed uint64, setup processes.Setup, other interop.Implementation, excuses ...error) *Crew {
	t.Helper()
	if setup.Dir == "" {
		setup.Dir = t.TempDir()
	}
	return NewIn(t, here, rand.New(rand.NewPCG(seed, 0)), setup, other, excuses...)
}

// NewIn is New with processes in other places, and a source of randomness.
func NewIn(t *testing.T, place Place, rng *rand.Rand, setup processes.Setup, other interop.Implementation, excuses ...error) *Crew {
	t.Helper()
	c := &Crew{T: t, Setup: setup, Rand: rng, place: place}
	c.Setup.Patience, c.Setup.Within = Unhurried, 0
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
	c.Setup.Patience, c.Setup.Within = setup.Patience, setup.Within
	return c
}

// Gather starts the processes of a family, which talk with the far side and take their
// time for it.
func (c *Crew) Gather() {
	c.Helper()
	for _, name := range Names {
		c.Start(name)
	}
	c.AtLeisure(func() {
		c.Redeliver(c.Letter(false))
		c.Members[0].Post(c.Context(), false)
	})
	c.ReadAll()
}

// launch is a story.Start.
func (c *Crew) launch(_ context.Context, name string, create bool) (story.Device, error) {
	setup := c.Setup
	setup.Create = create
	setup.Validated = !setup.Stale && c.One(2) // those of one store need not agree
	start, setup := c.place(name, setup)
	p, err := processes.StartBy(start, name, setup)
	if err != nil {
		return nil, err
	}
	c.Cleanup(func() {
		if err := p.Kill(); err != nil {
			c.Error(err)
		}
	})
	c.last = p
	if c.Through != nil {
		return c.Through(p), nil
	}
	return p, nil
}

// KillOpening starts a process, and kills it while it opens the store.
func (c *Crew) KillOpening(name string, within time.Duration) {
	c.Helper()
	start, setup := c.place(name, c.Setup)
	p, err := processes.BeginBy(start, name)
	if err != nil {
		c.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() { opened <- p.Open(setup) }()
	c.Pause(within)
	if err := p.Kill(); err != nil {
		c.Error(err)
	}
	if err := <-opened; err != nil && !errors.Is(err, processes.ErrGone) {
		c.Errorf("opening: %v", err)
	}
}

// Start starts a process. On a busy machine a short patience may end before
// another process says something.
func (c *Crew) Start(name string) *Member {
	c.Helper()
	for late := time.Now().Add(processes.Patience); ; {
		m, err := c.TryStart(name)
		if err == nil {
			return m
		}
		if !Refused(err) || time.Now().After(late) {
			c.Fatal(err)
		}
	}
}

// TryStart is Start that tries once.
func (c *Crew) TryStart(name string) (*Member, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h, err := c.Open(c.Context(), name)
	if err != nil {
		return nil, err
	}
	m := &Member{h, c.last}
	c.Members = append(c.Members, m)
	return m, nil
}

// Close lets a process end.
func (c *Crew) Close(m *Member) {
	c.Helper()
	c.forget(m)
	if err := m.Process.Close(); err != nil {
		c.Error(err)
	}
}

// Kill kills a process.
func (c *Crew) Kill(m *Member) {
	c.Helper()
	c.forget(m)
	if err := m.Process.Kill(); err != nil {
		c.Error(err)
	}
}

func (c *Crew) forget(m *Member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Members = slices.DeleteFunc(c.Members, func(one *Member) bool { return one == m })
	c.Refused += m.Process.Refused()
}

// AtLeisure calls fn while the calls of all processes that run have no deadline: what they
// are to come to in the end must not depend on how fast the machine is.
func (c *Crew) AtLeisure(fn func()) {
	for _, m := range c.Members {
		m.Process.SetLeisure(true)
		defer m.Process.SetLeisure(false)
	}
	fn()
}

// Processes returns all that run, but one.
func (c *Crew) Processes(but *Member) []*processes.Process {
	var others []*processes.Process
	for _, m := range c.Members {
		if m != but {
			others = append(others, m.Process)
		}
	}
	return others
}

// Member returns the one whose process it is.
func (c *Crew) Member(p *processes.Process) *Member {
	return c.Members[slices.IndexFunc(c.Members, func(m *Member) bool { return m.Process == p })]
}

// Owner returns the process that owns the store, or any where none does.
func (c *Crew) Owner() *Member {
	for _, m := range c.Members {
		if m.Process.Owner() {
			return m
		}
	}
	return c.Any()
}

// Any returns one of those that run.
func (c *Crew) Any() *Member { return c.Members[c.Rand.IntN(len(c.Members))] }

// One is true once in so many times.
func (c *Crew) One(in int) bool { return c.Rand.IntN(in) == 0 }

// Pause is for an instant that nobody chose.
func (c *Crew) Pause(most time.Duration) { <-time.After(time.Duration(c.Rand.Int64N(int64(most)))) }
