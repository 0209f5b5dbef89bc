package otk

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

// Tombstone returns what is left of a one-time key whose private part is gone and that
// opened a session: a key of another program's.
func Tombstone(id ID, public ratchet.PublicKey, session ratchet.SessionID, at Moment) Key {
	return Key{id: id, public: public, usedBy: session, usedAt: record.Time(laterThanZero(at.Time)), usedIn: at.Order}
}

// Import returns the pool of format 2 with keys of another program in it, none of
// which is ever offered, and whose ids go on after last at the soonest. The one-time
// keys are [Published] or [Abandoned], and count as having been in a body now, since
// nobody knows when they were. It fails with [ErrStage], with [ErrFull], or with
// [ErrFormat] where a key has no id, or another's.
func (p Pool) Import(last ID, oneTime []Entry, fallbacks []Fallback, now time.Time) (Pool, error) {
	next := p.Raise(now).Skip(last)
	next.entries = slices.Concat(p.entries, oneTime)
	next.fallbacks = slices.Concat(p.fallbacks, fallbacks)
	if len(next.entries) > MaxKeys || len(next.fallbacks) > MaxFallbacks {
		return p, fmt.Errorf("%w: %d one-time and %d fallback keys, at most %d and %d", ErrFull, len(next.entries), len(next.fallbacks), MaxKeys, MaxFallbacks)
	}
	taken := map[ID]bool{0: true}
	for i := range next.entries {
		e := &next.entries[i]
		if i >= len(p.entries) {
			if e.InBody = next.stamp(now); e.Stage != Published && e.Stage != Abandoned {
				return p, fmt.Errorf("%w: an imported key that is %v", ErrStage, e.Stage)
			}
		}
		if taken[e.ID] || e.ID > next.last {
			return p, fmt.Errorf("%w: one-time key of id %d", ErrFormat, e.ID)
		}
		taken[e.ID] = true
	}
	for i := range next.fallbacks {
		f := &next.fallbacks[i]
		if i >= len(p.fallbacks) {
			f.InBody, f.Superseded, f.SupersededIn = next.stamp(now), time.Time{}, 0
		}
		if taken[f.ID] || f.ID > next.last {
			return p, fmt.Errorf("%w: fallback key of id %d", ErrFormat, f.ID)
		}
		taken[f.ID] = true
	}
	slices.SortFunc(next.entries, func(a, b Entry) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(next.fallbacks, func(a, b Fallback) int { return cmp.Compare(b.ID, a.ID) })
	return next, nil
}
