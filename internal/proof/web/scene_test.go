package web

import (
	"crypto/rand"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// scene is a browser in which counters run in several places, on one store.
type scene struct {
	t       *testing.T
	server  *Server
	ledger  *ledger
	name    string // of the store
	profile string
	browser *Browser
	random  *mathrand.Rand
	stay    []*counting // whom no fault meets
}

// counting is a tab with a counter.
type counting struct {
	*Actor
	id   string
	tab  *Tab
	runs int // instances of its program that were waited for
}

// newScene starts a browser on a profile, a new one if it is "", with a counter in a worker
// and one in a page.
func newScene(t *testing.T, profile string, seed uint64) *scene {
	t.Helper()
	server := NewServer(t, Build(t, ".", "./actor", false))
	if profile == "" {
		profile = t.TempDir()
	}
	s := &scene{t: t, server: server, ledger: newLedger(t, server), name: rand.Text(), profile: profile, random: mathrand.New(mathrand.NewPCG(seed, 0))}
	s.start()
	return s
}

// start starts the browser on the profile, and those who stay.
func (s *scene) start() {
	s.t.Helper()
	// No process waits for the next tab: who is new in the list is the tab's.
	s.browser = Start(s.t, s.profile, chromedp.Flag("disable-features", "SpareRendererForSitePerProcess"))
	s.stay = []*counting{s.open("worker"), s.open("page")}
	for _, c := range s.stay {
		s.count(c)
	}
}

// open opens a program in a place.
func (s *scene) open(where string) *counting {
	s.t.Helper()
	id := where + "-" + rand.Text()[:6]
	address, a := s.server.NewActor(where, id)
	return &counting{Actor: a, id: id, tab: s.browser.Open(address)}
}

// count lets a new instance of a program open the store and count.
func (s *scene) count(c *counting) {
	s.t.Helper()
	c.runs++
	c.Instances(c.runs)
	c.Expect("ok", "count", s.name)
	s.ledger.advance("a counter that begins", 1, c.id)
}

// staying are the names of those whom no fault meets.
func (s *scene) staying() (names []string) {
	for _, c := range s.stay {
		names = append(names, c.id)
	}
	return names
}

// instant waits for a random instant of a counter's work.
func (s *scene) instant(c *counting) {
	s.ledger.advance("before a fault", 1, c.id)
	<-time.After(time.Duration(s.random.IntN(20_000)) * time.Microsecond)
}

// goOn waits until all who stay have gone on.
func (s *scene) goOn(what string) {
	s.t.Helper()
	s.ledger.advance(what, 2, s.staying()...)
}

// judge lets those who stay stop, and compares what was acknowledged with what is there.
func (s *scene) judge() (epoch string) {
	s.t.Helper()
	for _, c := range s.stay {
		c.Expect("ok", "stop")
	}
	return s.ledger.judge(s.stay[0].Do("counted"))
}

// report prints what a run was.
func (s *scene) report(rounds int) {
	s.ledger.mu.Lock()
	taken := 0
	for _, of := range s.ledger.took {
		taken += len(of)
	}
	longest := s.ledger.longest
	s.ledger.mu.Unlock()
	s.t.Logf("%d rounds: %d numbers acknowledged; the longest took %d ms; calls that failed: %v", rounds, taken, longest, s.ledger.failures())
}
