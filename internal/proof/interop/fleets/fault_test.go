//go:build linux

package fleets

import (
	"regexp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/pawlkv/pawl/internal/proof/fleet"
	"github.com/pawlkv/pawl/internal/proof/interop/processes/crews"
)

// fault is something that happens to a site.
type fault struct {
	name string
	// strike makes it happen, and says what to do about it.
	strike func(r *round) blow // the round is nil in a history
	// lasts: it does for longer than any deadline, while those whom it does not strike go on.
	lasts bool
}

// blow is a fault that has happened.
type blow struct {
	heal func()
	done func() // after all were healed; nil: nothing
}

// all are the faults of processes and of the site.
func (s *site) all() []fault {
	all := append([]fault{{name: killed}, {name: stopped, lasts: true}}, s.faults...)
	return slices.DeleteFunc(all, func(f fault) bool { return !regexp.MustCompile(*only).MatchString(f.name) })
}

// cuts are the faults of the network: each host in each direction.
func (s *site) cuts() (all []fault) {
	cut := func(name string, host func() *fleet.Host, d fleet.Direction) fault {
		return fault{name: name + " cut off " + string(d), lasts: true, strike: func(*round) blow {
			h := host()
			h.Cut(s.T, d)
			return blow{heal: func() { h.Join(s.T) }}
		}}
	}
	for _, d := range []fleet.Direction{fleet.Out, fleet.In} {
		all = append(all,
			cut("host of processes", func() *fleet.Host { return s.clients[s.rng.IntN(len(s.clients))].Host }, d),
			cut("host of a server", func() *fleet.Host { return s.servers[s.rng.IntN(len(s.servers))] }, d))
	}
	return all
}

// late is a connection whose bytes arrive after its successor's. Where a commit can be told
// on its way it is that of the next one of the third host; otherwise all connections are held
// from an instant on, and what has them is killed, so that another connects.
func (s *site) late() fault {
	s.makesLate = true
	return fault{name: "late bytes", lasts: true, strike: func(r *round) blow {
		if r != nil && r.alone {
			r.connectThird()
		}
		before := make([]int64, len(s.slow()))
		for i, p := range s.slow() {
			before[i] = p.Late()
			if s.commits == "" {
				p.HoldOpen()
			} else {
				p.HoldNext(s.commits)
			}
		}
		return blow{heal: func() {}, done: func() {
			if s.commits == "" && r != nil {
				r.replaceThird()
			}
			for i, p := range s.slow() {
				if held := p.Release(); held > 0 {
					s.lateOnes += held
					within(s.T, "what was held", func() { p.AwaitLate(before[i] + 1) })
				}
			}
		}}
	}}
}

// replaceThird kills the process on the third host, unless a fault has struck it, and waits
// until another has read something.
func (r *round) replaceThird() {
	if m := r.third(); !slices.Contains(r.victims, m) {
		r.crew.Kill(m)
		r.crew.Start(m.Name)
	}
}

// third is the process on the third host.
func (r *round) third() *crews.Member {
	return r.crew.Members[slices.IndexFunc(r.crew.Members, func(m *crews.Member) bool { return m.Name == crews.Names[len(crews.Names)-1] })]
}

// connectThird waits until the process on the third host has a connection, which it may have
// lost in the round before, and would lose again by a call that ends before its answer.
func (r *round) connectThird() {
	third := r.third()
	third.Process.SetLeisure(true)
	defer third.Process.SetLeisure(false)
	var last atomic.Value // why it has not connected
	defer func() {
		if r.site.Failed() {
			r.site.Logf("why the third process has not connected: %v", last.Load())
		}
	}()
	within(r.site.T, "connecting", func() {
		for {
			_, err := third.Machine.Identity(r.site.Context())
			if err == nil {
				return
			}
			last.Store(err.Error())
		}
	})
}

// instant is within what all are at when something happens to them.
const instant = 30 * time.Millisecond

// onMember is what happens to a process of the crew, once in a round.
func (r *round) onMember(kind string) (victim *crews.Member, b blow) {
	victim = r.takeVictim()
	if kind == killed {
		victim.Process.Doom()
		return victim, blow{heal: func() {}, done: func() {
			r.crew.Kill(victim)
			r.crew.Start(victim.Name)
		}}
	}
	if err := victim.Process.Freeze(); err != nil {
		r.site.Fatal(err)
	}
	return victim, blow{heal: func() {
		if err := victim.Process.Continue(); err != nil {
			r.site.Fatal(err)
		}
	}}
}

// Faults of processes.
const (
	killed  = "process killed"
	stopped = "process stopped"
)
