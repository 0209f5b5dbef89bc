package unwedge_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

var (
	seed      = flag.Uint64("unwedge.seed", 0, "play this schedule only")
	schedules = flag.Int("unwedge.schedules", 60, "schedules to be played")
)

// schedule is a random life of a device, in two processes, with a peer that is wedged
// again and again. It judges what the processes do by the true time.
type schedule struct {
	*world
	r             *rand.Rand
	phone, laptop *home
	both          []*home
	acting        *home // did something last
	left          int   // commits that the next call makes before it is killed
	claims        []try
	sessions      []try
	known         map[ratchet.SessionID]bool
	heard         int
	right         int // how often the clock was set right
}

// try is a claim, or a session, and when it was first seen.
type try struct {
	claim  outbox.ID
	at     time.Time
	behind bool // the clock was
	right  int  // how often it was set right before
	heard  int  // how often the peer was heard before
}

// may reports whether nothing can be said of the time between two: the first was made by
// a clock that was behind, and was set right since.
func (t try) may(then try) bool { return t.behind && t.right != then.right }

func newSchedule(t testing.TB, seed uint64) *schedule {
	s := &schedule{world: newWorld(t), r: rand.New(rand.NewPCG(seed, 1)), known: map[ratchet.SessionID]bool{}, left: 1 << 30}
	s.phone, s.laptop = s.home(alice, "PHONE"), s.home(bob, "LAPTOP")
	s.meet(s.phone, s.laptop)
	for range 2 {
		s.both = append(s.both, s.phone.beside(faulty.Wrap(s.phone.engine, faulty.Hooks{Before: s.before})))
	}
	if seed%3 == 0 {
		s.phone.lose(s.laptop)
	}
	s.later(2 * time.Hour)
	s.look()
	s.claims, s.sessions = nil, nil
	return s
}

func (s *schedule) before(_ context.Context, call faulty.Call) error {
	if call.Op == faulty.Commit && len(call.Batch.Writes) > 0 {
		if s.left--; s.left < 0 {
			return kv.ErrClosed
		}
	}
	return nil
}

func (s *schedule) one() *home {
	s.acting = s.both[s.r.IntN(len(s.both))]
	return s.acting
}

// step does one thing.
func (s *schedule) step() string {
	s.Helper()
	switch n := s.r.IntN(20); {
	case n < 6:
		s.one().take(s.laptop.broken(s.phone))
		return "an event that nobody can read"
	case n < 9:
		by := time.Duration(s.r.IntN(100)) * time.Minute
		s.later(by)
		return fmt.Sprint("later by ", by)
	case n < 10:
		s.later(23 * time.Hour)
		return "a day later"
	case n < 11:
		if *s.phone.clock == 0 {
			*s.phone.clock = -time.Duration(1+s.r.IntN(9000)) * time.Hour
		} else {
			*s.phone.clock = 0
			s.right++
		}
		_ = s.one().unwedge.Due(s.Context())
		return fmt.Sprint("the clock is off by ", *s.phone.clock)
	case n < 12:
		s.empty[s.laptop.name] = !s.empty[s.laptop.name]
		return fmt.Sprint("no one-time keys: ", s.empty[s.laptop.name])
	case n < 15:
		s.left = s.r.IntN(4)
		_ = s.one().unwedge.Due(s.Context())
		s.left = 1 << 30
		return "killed while something was due"
	case n < 16:
		s.laptop.sync()
		s.one().take(s.laptop.made(s.phone, "hello"))
		s.heard++
		return "the peer syncs, and is heard"
	default:
		return s.requests()
	}
}

// requests sends what there is, some of it, and loses some answers.
func (s *schedule) requests() string {
	s.Helper()
	h := s.one()
	for _, r := range h.outgoing() {
		switch s.r.IntN(4) {
		case 0:
			must(s, h.box.MarkFailed(s.Context(), r.ID, outbox.Failure{Reason: outbox.NotSent}))
		case 1:
			s.serve(h.name, r)
			must(s, h.box.MarkFailed(s.Context(), r.ID, outbox.Failure{Reason: outbox.Unknown}))
		default:
			h.post(r)
		}
	}
	return "requests"
}

// look notes which claims and sessions are new.
func (s *schedule) look() {
	s.Helper()
	if w := s.phone.wedge(s.laptop); w.Claim != (outbox.ID{}) && (len(s.claims) == 0 || s.claims[len(s.claims)-1].claim != w.Claim) {
		s.claims = append(s.claims, try{w.Claim, s.now, *s.phone.clock != 0, s.right, s.heard})
	}
	for _, o := range s.phone.sessions(s.laptop) {
		if o.Origin() == session.Outbound && !s.known[o.ID()] {
			s.known[o.ID()] = true
			s.sessions = append(s.sessions, try{outbox.ID{}, s.now, *s.phone.clock != 0, s.right, s.heard})
		}
	}
}

// judge compares with the limits.
func (s *schedule) judge() {
	s.Helper()
	for what, all := range map[string][]try{"claims": s.claims, "sessions": s.sessions} {
		for i := 1; i < len(all); i++ {
			if gap := all[i].at.Sub(all[i-1].at); gap < time.Hour && !all[i-1].may(all[i]) {
				s.Errorf("two %s in %v", what, gap)
			}
		}
	}
	for i := 3; i < len(s.claims); i++ {
		unheard := s.claims[i-3].heard == s.claims[i].heard
		if gap := s.claims[i].at.Sub(s.claims[i-1].at); unheard && gap < 24*time.Hour && !s.claims[i-1].may(s.claims[i]) {
			s.Errorf("after three in vain another one after %v", gap)
		}
	}
}

// end lets everything be right: the peer is heard then. Where the clock was wrong when a
// session was asked for last, that takes two days of looking every eight hours.
func (s *schedule) end() {
	s.Helper()
	*s.phone.clock, s.empty[s.laptop.name] = 0, false
	s.later(25 * time.Hour)
	s.phone.take(s.laptop.broken(s.phone))
	for range 6 {
		s.settle()
		s.look()
		s.later(8 * time.Hour)
	}
	s.laptop.say(s.phone, "end")
	s.settle()
	if w := s.phone.wedge(s.laptop); w.IsWedged() || w.Tries != 0 || len(w.Give) != 0 {
		s.Errorf("at the end: %+v", w)
	}
	if read := s.phone.read; len(read) == 0 || read[len(read)-1] != "end" {
		s.Errorf("the last that was read is of %q", read)
	}
	s.phone.check()
}

// TestLimits: however processes are killed, answers lost and clocks set back, a peer has
// no two new sessions in one hour, after three in vain one a day, and is heard at last.
func TestLimits(t *testing.T) {
	n := *schedules
	if testing.Short() && n == 60 {
		n = 15
	}
	first := rand.Uint64()
	if *seed != 0 {
		first, n = *seed, 1
	}
	tries := 0
	for i := range uint64(n) {
		s := newSchedule(t, first+i)
		var story []string
		for range 80 {
			story = append(story, s.now.Format(time.DateTime)+" "+s.step())
			s.look()
			s.judge()
			if t.Failed() {
				break
			}
		}
		if !t.Failed() {
			s.end()
			s.judge()
		}
		if t.Failed() {
			for _, line := range story {
				t.Log(line)
			}
			t.Fatalf("-unwedge.seed=%d", first+i)
		}
		tries += len(s.claims)
	}
	if tries < 2*n {
		t.Errorf("%d claims in %d schedules: nothing was tried", tries, n)
	}
}
