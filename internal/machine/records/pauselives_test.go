package records

import (
	"flag"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

var (
	pauseSeed  = flag.Uint64("records.pauseseed", 0, "play this life of clocks only")
	pauseLives = flag.Int("records.pauselives", 3000, "lives of clocks to be played")
)

// life is what clocks show of a time in which something is done again and again, each
// time that the pause is over by the clock that looks.
type life struct {
	testing.TB
	r      *rand.Rand
	start  time.Time
	now    time.Duration   // the true time
	off    []time.Duration // of each clock
	w      Wedge
	order  record.Order
	done   bool                   // something was, the last time at the true time
	at     time.Duration          //
	by     time.Duration          // and by a clock that was so far off
	looks  map[time.Duration]bool // how far off the clocks were that looked since
	learns *record.Moment         // something was done by then that nobody has learnt yet
}

func newLife(t testing.TB, seed uint64) *life {
	l := &life{
		TB: t, r: rand.New(rand.NewPCG(seed, 2)), start: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
		w: Wedge{Key: ratchet.PublicKey{1}, User: "@bob:example.org"},
	}
	l.w = l.w.Seen(record.Moment{Time: l.start, Order: 1}, "why")
	l.off = make([]time.Duration, 1+l.r.IntN(maxClocks))
	return l
}

// span is a time of any magnitude from a second to years.
func (l *life) span() time.Duration {
	most := []time.Duration{time.Minute, time.Hour, 3 * time.Hour, 48 * time.Hour, 4 * year}[l.r.IntN(5)]
	return time.Duration(l.r.Int64N(int64(most))).Truncate(time.Second)
}

func (l *life) moment(clock int) record.Moment {
	l.order++
	return record.Moment{Time: l.start.Add(l.now + l.off[clock]), Order: l.order}
}

// step lets time pass, sets a clock, or looks.
func (l *life) step() {
	clock := l.r.IntN(len(l.off))
	switch n := l.r.IntN(20); {
	case n < 6:
		l.now += min(l.span(), 48*time.Hour)
	case n < 8:
		l.off[clock] = []time.Duration{0, l.span(), -l.span(), l.off[clock] + l.span(), l.off[clock] - l.span()}[l.r.IntN(5)]
	case n < 9 && l.w.Begun.Order != 0:
		l.learn()
		l.w = l.w.Well(l.moment(clock).Time)
	case n < 10:
		l.glance(clock)
	case n < 11 && l.learns == nil && l.done:
		at := l.moment(clock)
		l.learns = &at
		l.begins(clock)
	default:
		l.look(clock)
	}
}

func (l *life) learn() {
	if l.learns != nil {
		l.w, l.learns = l.w.Learn(*l.learns), nil
	}
}

// glance lets a process look that has nothing to do, and learns nothing.
func (l *life) glance(clock int) {
	if l.looks != nil {
		l.looks[l.off[clock]] = true
	}
	if next, _ := l.w.Held(l.moment(clock).Time); len(next.Pause) < len(l.w.Pause) {
		l.w = next
	}
}

// begins notes that the pause begins.
func (l *life) begins(clock int) {
	l.done, l.at, l.by, l.looks = true, l.now, l.off[clock], map[time.Duration]bool{}
}

// look lets a process look, and reports whether it does what it waits for.
func (l *life) look(clock int) bool {
	l.learn()
	if l.looks != nil {
		l.looks[l.off[clock]] = true
	}
	pause := l.w.pause()
	next, held := l.w.Held(l.moment(clock).Time)
	if l.w = next; held {
		return false
	}
	if gap := l.now - l.at; l.done && gap < l.least(pause, clock) {
		l.Errorf("again after %v of %v, at least %v: %v", gap, pause, l.least(pause, clock), l.w.Pause)
	}
	l.w = l.w.Try(l.moment(clock), RequestID{1})
	l.begins(clock)
	return true
}

// least is the promise: a whole pause, less how much further ahead the clock is now than
// the one by which it began was; or two pauses, less a third for each way in which a
// clock was off since.
func (l *life) least(pause time.Duration, clock int) time.Duration {
	ahead := max(0, l.off[clock]-l.by)
	doubts := time.Duration(len(l.looks)) * pause / perLook
	return min(pause-min(pause, ahead), max(0, doubted*pause-doubts))
}

// end lets all clocks go on as they are: then one does what it waits for, within four
// pauses if each looks three times in one, and at its tenth look if each does more seldom.
func (l *life) end() {
	l.learn()
	pause := l.w.pause()
	every := time.Duration(1 + l.r.Int64N(int64(pause/perLook)))
	most := 4 * pause
	if l.r.IntN(2) == 0 {
		every = pause/perLook + l.span()
		most = 9 * every
	}
	for began := l.now; l.now-began <= most; l.now += every {
		for clock := range l.off {
			if l.look(clock) {
				return
			}
		}
	}
	l.Errorf("with looks each %v nothing is done for %v of %v: %v, %v", every, most, pause, l.off, l.w.Pause)
}

// TestClocks: whatever clocks show, what is done again and again keeps the pause as far as
// it is promised, what is known can be written, and no clock that was wrong ends it all.
func TestClocks(t *testing.T) {
	first, n := rand.Uint64(), *pauseLives
	if *pauseSeed != 0 {
		first, n = *pauseSeed, 1
	}
	for i := range uint64(n) {
		l := newLife(t, first+i)
		for range 150 {
			l.step()
			if _, err := l.w.Encode(); err != nil {
				t.Errorf("%v: %v", err, l.w.Pause)
			}
			if t.Failed() {
				break
			}
		}
		if !t.Failed() {
			l.end()
		}
		if t.Failed() {
			t.Fatalf("-records.pauseseed=%d", first+i)
		}
	}
}
