package records

import (
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/record"
)

// Pause is what the clocks say of the time since something that is not to be done again
// for a while. Nobody knows which clock is right, so each is taken at its own word of how
// much passed, and none at another's: these are the clocks that looked, by where they
// stood, the one that is furthest ahead first. The last is the one that looked last.
//
// A clock that goes back is another one, which begins at nothing. One that comes again,
// or is set right, is known by where it stood, and those behind it are forgotten then,
// but for what passed by one that may have come up to there. What cannot be told from
// time that passes is a clock that is set ahead: that counts in full for the clock by
// which the pause began, and for others as much as a look may. What follows is in
// docs/unwedging.md.
type Pause []Clock

// Clock is one that looked.
type Clock struct {
	At     time.Time     // where it stood
	Passed time.Duration // since the pause began, until then, by its looks
	Began  bool          // the pause began by it, when it stood there
}

const (
	// maxClocks bounds the clocks that are known; of more the one furthest ahead goes.
	maxClocks = 4
	// perLook is which part of a pause one look of a clock counts for at most, unless the
	// pause began by it. Clocks that differ by no more are the same.
	perLook = 3
	// doubted is how many pauses have to pass by such a clock: so three looks may count
	// for nothing that passed, and what is left is a whole pause.
	doubted = 2
)

// Begin returns the pause that begins now, of a length.
func (p Pause) Begin(now time.Time, length time.Duration) Pause {
	p, _ = p.Look(now, length)
	return p.begun(now, true)
}

// Learn returns the pause where it is learnt only now that what it is about was done when
// a clock stood at then. Others may have looked since, so it begins by that clock only if
// nothing else is known, or the pause before did.
func (p Pause) Learn(then time.Time, length time.Duration) Pause {
	p, _ = p.Look(then, length)
	return p.begun(then, len(p) == 1 || p[len(p)-1].Began)
}

// Shorten returns the pause when it is to be shorter: what passed was counted in looks of
// the longer one.
func (p Pause) Shorten() Pause {
	p = slices.Clone(p)
	for i := range p {
		p[i].Passed = 0
	}
	return p
}

// begun returns the pause from which nothing has passed, by the last clock or by none.
func (p Pause) begun(at time.Time, own bool) Pause {
	p = p.Shorten()
	for i := range p {
		p[i].Began = own && i == len(p)-1
	}
	last := &p[len(p)-1]
	last.At = maxTime(last.At, record.Time(at))
	return p
}

// Look returns what is known after somebody's clock was looked at, and whether the pause
// is over by it. What a look adds need not be stored if it is next to nothing, so that
// looking often costs nothing.
func (p Pause) Look(now time.Time, length time.Duration) (next Pause, over bool) {
	now = record.Time(now)
	most := length / perLook
	i := slices.IndexFunc(p, func(c Clock) bool { return !c.At.After(now.Add(most)) })
	if i < 0 {
		next = append(slices.Clone(p), Clock{At: now})
		return next[max(0, len(next)-maxClocks):], false
	}
	var passed time.Duration // by the clock that this is, or was when it stood further behind
	for _, c := range p[i:] {
		passed = max(passed, c.Passed+min(max(0, now.Sub(c.At)), most))
	}
	next, c := p[:i+1:i+1], p[i]
	switch {
	case passed >= doubted*length, c.Began && now.Sub(c.At) >= length:
		return next, true
	case !c.Began && passed >= c.Passed+most/2:
		next = slices.Clone(next)
		next[i] = Clock{At: maxTime(c.At, now), Passed: passed}
	}
	return next, false
}

func maxTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

// check fails if nobody could have written that.
func (p Pause) check() error {
	if len(p) > maxClocks {
		return fmt.Errorf("%w: %d clocks", record.ErrFormat, len(p))
	}
	for i, c := range p {
		began := slices.IndexFunc(p, func(c Clock) bool { return c.Began })
		switch {
		case i > 0 && !c.At.Before(p[i-1].At):
			return fmt.Errorf("%w: the order of clocks", record.ErrFormat)
		case c.Passed < 0 || c.Passed > doubted*latePause, c.Began && (c.Passed != 0 || began != i):
			return fmt.Errorf("%w: what passed by a clock", record.ErrFormat)
		}
	}
	return nil
}

// write writes the fields of the clocks.
func (p Pause) write(out *record.Writer) {
	out.Count(3 * len(p))
	for _, c := range p {
		out.Time(c.At)
		out.Uint(uint64(c.Passed.Milliseconds()))
		out.Bool(c.Began)
	}
}

// readPause reads what write wrote.
func readPause(r *record.Reader) (p Pause) {
	n := r.Count(3 * maxClocks)
	r.Check(n%3 == 0, "clocks")
	for ; n > 0 && r.OK(); n -= 3 {
		p = append(p, Clock{r.Time(), time.Duration(r.Uint(uint64((doubted * latePause).Milliseconds()))) * time.Millisecond, r.Bool()})
	}
	return p
}
