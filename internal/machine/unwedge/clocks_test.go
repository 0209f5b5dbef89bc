package unwedge_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/session"
)

// hosts is a schedule of processes of which each has a clock of its own, which is set to
// any time at any time, whether somebody looks or not.
type hosts struct {
	*schedule
	claims, sessions []act
	last             outbox.ID
	looks            []time.Duration // how far off the clocks were of those that did something
}

// act is a claim, or a session.
type act struct {
	at    time.Time
	off   time.Duration // how far off the clock was of who made it
	heard int           // how often the peer was heard before
	looks int           // how often somebody did something before
}

func newHosts(t testing.TB, seed uint64) *hosts {
	h := &hosts{schedule: newSchedule(t, seed)}
	h.both = nil
	for range 1 + h.r.IntN(4) {
		h.both = append(h.both, h.process(new(time.Duration)))
	}
	return h
}

func (h *hosts) process(clock *time.Duration) *home {
	h.Helper()
	return h.homeOn(h.phone.name, faulty.Wrap(h.phone.engine, faulty.Hooks{Before: h.before}), clock)
}

// step does one thing.
func (h *hosts) step() (did string) {
	h.Helper()
	h.acting = nil
	switch i := h.r.IntN(len(h.both)); h.r.IntN(8) {
	case 0:
		*h.both[i].clock = h.span()
		return fmt.Sprintf("the clock of process %d is off by %v", i, *h.both[i].clock)
	case 1:
		h.both[i] = h.process(h.both[i].clock)
		return fmt.Sprintf("process %d begins anew", i)
	default:
		return h.schedule.step()
	}
}

// span is a time of any magnitude, or none.
func (h *hosts) span() time.Duration {
	most := []time.Duration{1, time.Hour, 3 * time.Hour, 48 * time.Hour, 9000 * time.Hour}[h.r.IntN(5)]
	return time.Duration(h.r.Int64N(2*int64(most))-int64(most)) / 1e9 * 1e9
}

// note notes which claims and sessions are new, and whose clock it was.
func (h *hosts) note() {
	h.Helper()
	if h.acting == nil {
		return
	}
	off := *h.acting.clock
	h.looks = append(h.looks, off)
	a := act{h.now, off, h.heard, len(h.looks)}
	if w := h.phone.wedge(h.laptop); w.Claim != (outbox.ID{}) && w.Claim != h.last {
		h.last = w.Claim
		h.claims = append(h.claims, a)
		h.judge(h.claims, func(s, then act) time.Duration { return then.off - s.off })
	}
	for _, o := range h.phone.sessions(h.laptop) {
		if o.Origin() == session.Outbound && !h.known[o.ID()] {
			h.known[o.ID()] = true
			h.sessions = append(h.sessions, a)
			h.judge(h.sessions, h.ahead)
		}
	}
}

// ahead is how far the clock by which a session was asked for may have been ahead of that
// by which another was opened before.
func (h *hosts) ahead(s, then act) (most time.Duration) {
	for _, off := range h.looks[s.looks:then.looks] {
		most = max(most, off-s.off)
	}
	return most
}

// judge compares the newest of claims or sessions with what is promised.
func (h *hosts) judge(all []act, ahead func(s, then act) time.Duration) {
	h.Helper()
	if len(all) < 2 {
		return
	}
	then, before := all[len(all)-1], all[len(all)-2]
	pause := time.Hour
	if n := len(h.claims); n >= 4 && len(all) == n && all[n-4].heard == then.heard && &all[0] == &h.claims[0] {
		pause = 24 * time.Hour
	}
	ways := map[time.Duration]bool{}
	for _, off := range h.looks[before.looks:then.looks] {
		ways[off] = true
	}
	least := min(pause-max(0, ahead(before, then)), 2*pause-pause/3*time.Duration(len(ways)))
	if gap := then.at.Sub(before.at); gap < least {
		h.Errorf("again after %v, at least %v: %v", gap, least, h.phone.wedge(h.laptop).Pause)
	}
}

// end lets all clocks go on as they are: the peer is heard within four days, which is four
// of the longest pauses.
func (h *hosts) end() {
	h.Helper()
	h.empty[h.laptop.name] = false
	h.acting = h.both[0]
	h.acting.take(h.laptop.broken(h.phone))
	for day := time.Duration(0); day <= 96*time.Hour; day += 8 * time.Hour {
		for _, h.acting = range h.both {
			h.acting.send()
			h.note()
		}
		h.later(8 * time.Hour)
	}
	h.laptop.sync()
	h.laptop.say(h.phone, "end")
	h.acting.sync()
	h.acting.send()
	if w := h.phone.wedge(h.laptop); w.IsWedged() || w.Tries != 0 || len(w.Give) != 0 {
		h.Errorf("at the end: %+v", w)
	}
	if read := h.acting.read; len(read) == 0 || read[len(read)-1] != "end" {
		h.Errorf("the last that was read is of %q", read)
	}
	h.phone.check()
}

// TestRightAgain: who looks while nothing is to be done forgets the clocks that are behind
// one that is right again.
func TestRightAgain(t *testing.T) {
	w := newWorld(t)
	phone, laptop := w.home(alice, "PHONE"), w.home(bob, "LAPTOP")
	w.meet(phone, laptop)
	w.later(2 * time.Hour)
	phone.take(laptop.broken(phone))
	phone.send()
	laptop.sync()
	phone.take(laptop.broken(phone))
	*phone.clock = -100 * time.Hour
	must(t, phone.unwedge.Due(t.Context()))
	if p := phone.wedge(laptop).Pause; len(p) != 2 || !p[0].Began {
		t.Fatalf("by a clock that went back: %v", p)
	}
	laptop.say(phone, "hello")
	phone.sync()
	must(t, phone.unwedge.Due(t.Context()))
	if got := phone.wedge(laptop); got.IsWedged() || len(got.Pause) != 2 {
		t.Fatalf("heard while the clock is behind: %+v", got)
	}
	*phone.clock = 0
	must(t, phone.unwedge.Due(t.Context()))
	if p := phone.wedge(laptop).Pause; len(p) != 1 || !p[0].Began {
		t.Errorf("by a clock that is right again: %v", p)
	}
}

// TestLimitsOfClocks: whatever the clocks of any number of processes show, and whoever is
// killed, claims and sessions keep the pause as far as it is promised, and the peer is
// heard at last.
func TestLimitsOfClocks(t *testing.T) {
	first, n := rand.Uint64(), *schedules
	if testing.Short() && n == 60 {
		n = 15
	}
	if *seed != 0 {
		first, n = *seed, 1
	}
	claims := 0
	for i := range uint64(n) {
		h := newHosts(t, first+i)
		var story []string
		for range 120 {
			story = append(story, h.now.Format(time.DateTime)+" "+h.step())
			h.note()
			if t.Failed() {
				break
			}
		}
		if !t.Failed() {
			h.end()
		}
		if t.Failed() {
			for _, line := range story {
				t.Log(line)
			}
			t.Fatalf("-unwedge.seed=%d", first+i)
		}
		claims += len(h.claims)
	}
	if claims < 2*n {
		t.Errorf("%d claims in %d schedules: nothing was tried", claims, n)
	}
}
