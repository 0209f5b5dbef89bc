//go:build linux

package fleets

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/proof/fleet"
	"github.com/pawlkv/pawl/internal/proof/interop/processes"
	"github.com/pawlkv/pawl/internal/proof/interop/processes/crews"
	"github.com/pawlkv/pawl/kv"
)

// site is an engine's servers on hosts of their own, and three hosts of processes. Those of
// the third reach the servers through a proxy, which can make what they have sent late.
type site struct {
	*testing.T
	rng     *rand.Rand
	engine  string
	network *fleet.Network
	servers []*fleet.Host
	clients []client
	faults  []fault
	excuses []error // that calls may end with, beside those of any fault

	commits     string // what a commit has in it on its way to the server; "": nothing to tell it by
	makesLate   bool
	lateOnes    int // connections whose bytes were late
	synchronous bool
	open        func() (kv.Store, error) // from the test's process, which is on none of the hosts
}

// client is a host of processes.
type client struct {
	*fleet.Host
	dir  string // of the host's own
	url  string // of the engine, from there
	skew time.Duration
	slow []*fleet.Proxy
}

// skews are how far the clocks of hosts are ahead.
var skews = []time.Duration{0, time.Hour, -time.Hour}

func newSite(t *testing.T, engine string) *site {
	t.Helper()
	s := &site{T: t, engine: engine, rng: newRand(t)}
	if s.network = fleet.New(t); *proxies {
		s.network = fleet.NewOfProxies(t)
	}
	for i, name := range crews.Names {
		dir, err := os.MkdirTemp(t.TempDir(), name)
		if err != nil {
			t.Fatal(err)
		}
		s.clients = append(s.clients, client{Host: s.network.Host(t, name), dir: dir, skew: skews[i]})
	}
	return s
}

// server adds a host of a server.
func (s *site) server(name string) *fleet.Host {
	s.Helper()
	h := s.network.Host(s.T, name)
	s.servers = append(s.servers, h)
	return h
}

// reach returns where processes on a client's host find a server: on the last one through a
// proxy.
func (s *site) reach(i int, server *fleet.Host, port int) string {
	s.Helper()
	c := &s.clients[i]
	door := c.Door(s.T, server, port)
	if i < len(s.clients)-1 {
		return door
	}
	p := fleet.NewProxy(s.T, c.Host, door)
	c.slow = append(c.slow, p)
	return p.Address
}

// slow returns the proxies that can make things late.
func (s *site) slow() []*fleet.Proxy { return s.clients[len(s.clients)-1].slow }

// on returns the host of a process, the first for one of no family.
func (s *site) on(name string) client { return s.clients[max(0, slices.Index(crews.Names, name))] }

// place is a crews.Place.
func (s *site) place(name string, setup processes.Setup) (func(*exec.Cmd) error, processes.Setup) {
	c := s.on(name)
	setup.Engine, setup.URL, setup.Dir, setup.Skew, setup.Synchronous = s.engine, c.url, c.dir, c.skew, s.synchronous
	return c.Start, setup
}
