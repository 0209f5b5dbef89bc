package otk

import (
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/record"
)

// SetBack returns the pool in which nothing was in a body, made or replaced in
// the future: what seems so was written by a clock that ran ahead, and counts from
// now on.
func (p Pool) SetBack(now time.Time) Pool {
	if !p.Ahead(now) {
		return p
	}
	now = record.Time(laterThanZero(now))
	next := p
	next.entries, next.fallbacks = slices.Clone(p.entries), slices.Clone(p.fallbacks)
	for i := range next.entries {
		next.entries[i].InBody = earlier(next.entries[i].InBody, now)
	}
	for i := range next.fallbacks {
		f := &next.fallbacks[i]
		f.Created, f.InBody, f.Superseded = earlier(f.Created, now), earlier(f.InBody, now), earlier(f.Superseded, now)
	}
	return next
}

// Ahead reports that something seems to be of the future.
func (p Pool) Ahead(now time.Time) bool {
	return slices.ContainsFunc(p.entries, func(e Entry) bool { return e.InBody.After(now) }) ||
		slices.ContainsFunc(p.fallbacks, func(f Fallback) bool {
			return f.Created.After(now) || f.InBody.After(now) || f.Superseded.After(now)
		})
}

func earlier(a, b time.Time) time.Time {
	if a.After(b) {
		return b
	}
	return a
}

// inBody is the stamp of keys that are in a body now: not before what was in one
// earlier, or a clock that is behind would let the newest keys be evicted first.
func (p Pool) inBody(now time.Time) time.Time {
	at := p.stamp(now)
	if p.raised {
		for _, e := range p.entries {
			if e.InBody.After(at) {
				at = e.InBody
			}
		}
	}
	return at
}

// stamp is a time as the pool keeps it: none in format 1, which has no place for
// it.
func (p Pool) stamp(now time.Time) time.Time {
	if !p.raised {
		return time.Time{}
	}
	return record.Time(laterThanZero(now))
}
