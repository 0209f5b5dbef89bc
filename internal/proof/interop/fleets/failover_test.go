//go:build linux

package fleets

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/proof/fleet"
	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/interop/processes/crews"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/pgkv/pgtest"
)

// replicated is a primary and its standbys, each on a host of its own.
type replicated struct {
	*site
	primary  *pgtest.Server
	standbys []*pgtest.Server
	host     map[*pgtest.Server]*fleet.Host
	settings []string
	fallen   bool // the primary, until another one is: there is none to fail beside it
	parting  sync.WaitGroup
}

// newReplicated is a site of a primary and two standbys, of which the primary waits for one
// where the space is synchronous. Clients look for the one that can be written to.
func newReplicated(t *testing.T, synchronous bool) *replicated {
	t.Helper()
	r := &replicated{site: newSite(t, postgres), host: make(map[*pgtest.Server]*fleet.Host), settings: []string{"wal_receiver_timeout=2s"}}
	t.Cleanup(r.parting.Wait)
	r.synchronous = synchronous
	if synchronous {
		r.settings = append(r.settings, "synchronous_standby_names=ANY 1 (*)")
	}
	for _, name := range []string{"one", "two", "three"} {
		r.server(name)
	}
	r.primary = pgtest.StartAt(t, placeOf(r.servers[0]), r.settings...)
	r.host[r.primary] = r.servers[0]
	for _, h := range r.servers[1:] {
		r.addStandby(h)
	}
	for i := range r.clients {
		var doors []string
		for _, h := range r.servers {
			doors = append(doors, r.reach(i, h, pgtest.Port))
		}
		r.clients[i].url = urlAt(strings.Join(doors, ",")) + "&target_session_attrs=read-write&connect_timeout=1"
	}
	return r
}

// addStandby makes a standby on a host, which is joined.
func (r *replicated) addStandby(h *fleet.Host) {
	r.Helper()
	h.Join(r.T)
	standby := r.primary.StandbyAt(r.T, placeOf(h), r.settings...)
	r.standbys = append(r.standbys, standby)
	r.host[standby] = h
}

// fence cuts a server off from everybody, for good.
func (r *replicated) fence(s *pgtest.Server) {
	r.Helper()
	r.host[s].Cut(r.T, fleet.Out)
	r.host[s].Cut(r.T, fleet.In)
}

// promote makes the standby the primary that has received most: all that the quorum has
// acknowledged. The others follow it.
func (r *replicated) promote() {
	r.Helper()
	best := 0
	for i, s := range r.standbys {
		if s.Received(r.T) > r.standbys[best].Received(r.T) {
			best = i
		}
	}
	r.primary = r.standbys[best]
	r.standbys = append(r.standbys[:best:best], r.standbys[best+1:]...)
	r.primary.Promote(r.T)
	for _, s := range r.standbys {
		s.Follow(r.T, r.primary)
	}
}

// failover is the fault of a primary that dies, or stands still, and comes back as a second
// one when a standby was promoted, behind the fence that the documents prescribe. Of two in
// one round the first counts.
func (r *replicated) failover(name string, die, back func(*pgtest.Server)) fault {
	return fault{name: name, lasts: true, strike: func(*round) blow {
		if r.fallen {
			return blow{heal: func() {}}
		}
		old := r.primary
		client := r.acquaint(old)
		die(old)
		r.fallen = true
		return blow{heal: func() {
			r.fence(old)
			r.promote()
			r.fallen = false
			r.overtake(client)
			back(old)
			if answered := r.ask(client); len(answered) > 0 {
				r.Errorf("the old primary, fenced, answers %q", answered)
			}
		}, done: func() {
			r.parting.Go(client.close) // connections that the fence has cut take a while to close
			old.Remove()
			r.addStandby(r.host[old])
		}}
	}}
}

// TestFailover: the primary of a synchronous space dies, or stands still, a standby is
// promoted, and the old one comes back: nothing acknowledged is lost, and nothing needs
// recovery.
func TestFailover(t *testing.T) {
	t.Parallel()
	r := newReplicated(t, true)
	r.faults = []fault{
		r.failover("primary killed, standby promoted", (*pgtest.Server).Kill, func(s *pgtest.Server) { s.Begin(t) }),
		r.failover("primary stopped, standby promoted", (*pgtest.Server).Freeze, (*pgtest.Server).Continue),
	}
	r.devices(interop.Others()[0])
}

// TestAsynchronousFailover: a standby is promoted that was behind. Whoever was there commits
// nothing any more; whoever opens the store anew is told that it went back, on each host, and
// sends nothing before it was recovered. Then all goes on, and no key is used again.
func TestAsynchronousFailover(t *testing.T) {
	t.Parallel()
	r := newReplicated(t, false)
	c := crews.NewIn(t, r.place, r.rng, processes.Setup{Patience: 2 * short, Within: 10 * deadline}, interop.Others()[0])
	c.Gather()
	for _, s := range r.standbys {
		r.fence(s)
	}
	for range 3 { // acknowledged, and on no standby
		for _, m := range c.Members {
			m.Post(t.Context(), false)
			c.Redeliver(c.Letter(false))
		}
	}
	old := r.primary
	old.Kill()
	r.fence(old)
	for _, s := range r.standbys {
		r.host[s].Join(t)
	}
	r.promote()
	for _, m := range c.Members {
		r.want(c, m, "that was there before", kv.ErrUnusable)
	}
	for len(c.Members) > 0 {
		c.Kill(c.Members[0])
	}
	// The first to look has seen nothing of what was lost: its host has another directory.
	r.clients[1].dir = t.TempDir()
	first := c.Start(crews.Names[1])
	r.want(c, first, "on a host that remembers nothing", pawl.ErrNeedsRecovery)
	others := []*crews.Member{c.Start(crews.Names[0]), c.Start(crews.Names[2])}
	for _, m := range others {
		r.want(c, m, "on a host that remembers more", pawl.ErrNeedsRecovery)
	}
	if err := first.Process.Recover(t.Context()); err != nil {
		t.Fatalf("recover: %v", err)
	}
	for range 10 { // past what was lost
		first.Post(t.Context(), true)
		c.ReadAll()
		c.Judge()
	}
	c.Kill(others[0])
	others[0] = c.Start(crews.Names[0]) // whose host knows the old head
	for _, m := range append(others, first) {
		m.Post(t.Context(), false)
		c.ReadAll()
		c.Judge()
		if d, err := m.Receive(t.Context(), c.Letter(true)); err != nil || d.Duplicate {
			t.Errorf("a message in a new session after recovery: duplicate %v, %v", d.Duplicate, err)
		}
	}
	c.Judge()
}

// want checks why a process does not send.
func (r *replicated) want(c *crews.Crew, m *crews.Member, which string, want error) {
	r.Helper()
	for late := time.Now().Add(ends); ; {
		_, err := m.Machine.Encrypt(r.Context(), c.Bob.Identity(), []byte("text"))
		if crews.Refused(err) && time.Now().Before(late) { // it has not found the new primary yet
			continue
		}
		if !errors.Is(err, want) {
			r.Errorf("%s, %s, encrypts after the promotion: %v, want %v", m.Name, which, err, want)
		}
		return
	}
}
