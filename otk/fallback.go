package otk

import (
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

// Fallback is a fallback key in the pool. The zero Fallback is none.
type Fallback struct {
	ID        ID
	Public    ratchet.PublicKey
	Created   time.Time
	Published bool // an upload that carried it succeeded

	// Both are zero in format 1, which does not say.
	InBody     time.Time // when it was last in a body that may have arrived
	Superseded time.Time // when a newer one was published; zero: none was

	SupersededIn Order // when Superseded was written; 0 if it is zero, or nobody said
}

// MaxFallbacks is how many fallback keys a pool of format 2 has at most.
const MaxFallbacks = 9

// maxFallbacks1 is the same in format 1: the current and the previous one.
const maxFallbacks1 = 2

// AllFallbacks yields the fallback keys that there are, the current one first.
func (p Pool) AllFallbacks() iter.Seq[Fallback] { return slices.Values(p.fallbacks) }

// Fallbacks returns the current and the previous fallback key. Either may be
// none, that is with ID 0.
func (p Pool) Fallbacks() (current, previous Fallback) {
	if len(p.fallbacks) > 0 {
		current = p.fallbacks[0]
	}
	if len(p.fallbacks) > 1 {
		previous = p.fallbacks[1]
	}
	return current, previous
}

// FallbackDue reports that the fallback key should be replaced: there is none,
// it is older than the key id from, or it was published and is older than
// [FallbackLife]. A pool of format 2 that is full of keys which may still be
// used has no place for another, and goes on with the one it has. See SetBack.
func (p Pool) FallbackDue(from ID, now time.Time) bool {
	current, _ := p.Fallbacks()
	switch {
	case current.ID == 0:
		return true
	case !p.takesFallback(now):
		return false
	case current.ID < from:
		return true
	}
	return current.Published && now.Sub(current.Created) >= FallbackLife
}

// FallbackSpent reports that the current fallback key should be replaced because the
// server says that it was used, which happens once in [FallbackRest] at most.
func (p Pool) FallbackSpent(used ID, now time.Time) bool {
	current, _ := p.Fallbacks()
	return current.ID != 0 && current.ID == used && p.takesFallback(now) && now.Sub(current.Created) >= FallbackRest
}

// takesFallback reports that there is place for another fallback key.
func (p Pool) takesFallback(now time.Time) bool {
	return !p.raised || len(p.fallbacks) < MaxFallbacks || slices.ContainsFunc(p.fallbacks, func(f Fallback) bool { return f.over(now) })
}

// over reports that no message under the key is to be expected any more: a newer
// one was published, and all that was claimed before has had its time.
func (f Fallback) over(now time.Time) bool {
	return !f.Superseded.IsZero() && now.Sub(f.Superseded) >= FallbackLife
}

// DropFallbacks returns the pool without the fallback keys that were replaced
// and have had their time, and these keys: their records are to be deleted. None
// are where no newer one was published at least [FallbackLife] ago.
func (p Pool) DropFallbacks(now time.Time) (Pool, []Fallback) {
	var kept, dropped []Fallback
	for _, f := range p.fallbacks {
		if f.over(now) {
			dropped = append(dropped, f)
		} else {
			kept = append(kept, f)
		}
	}
	if len(dropped) == 0 {
		return p, nil
	}
	next := p
	next.fallbacks = kept
	return next, dropped
}

// RotateFallback returns the pool with a new current fallback key, which is to
// go into a body with it, and this key. The current one becomes the previous
// one. Those dropped for it are to be deleted: in format 2 those that
// [Pool.DropFallbacks] drops, and only where the pool is full; in format 1,
// which has place for two, the previous one. It fails with [ErrFull],
// [ErrExhausted] or rand's error.
func (p Pool) RotateFallback(rand io.Reader, now time.Time) (next Pool, key Key, dropped []Fallback, err error) {
	if p.last == math.MaxUint32 {
		return p, Key{}, nil, ErrExhausted
	}
	next, dropped = p.makeRoom(now)
	if next.raised && len(next.fallbacks) == MaxFallbacks {
		return p, Key{}, nil, fmt.Errorf("%w: %d fallback keys that may still be used", ErrFull, MaxFallbacks)
	}
	pair, err := ratchet.GenerateKeyPair(rand)
	if err != nil {
		return p, Key{}, nil, err
	}
	next.last++
	made := Fallback{ID: next.last, Public: pair.Public(), Created: record.Time(now), InBody: p.stamp(now)}
	next.fallbacks = append([]Fallback{made}, next.fallbacks...)
	return next, NewKey(next.last, pair, true, now), dropped, nil
}

// makeRoom drops what must go before another fallback key is made.
func (p Pool) makeRoom(now time.Time) (next Pool, dropped []Fallback) {
	switch {
	case p.raised && len(p.fallbacks) < MaxFallbacks:
		return p, nil
	case p.raised:
		return p.DropFallbacks(now)
	case len(p.fallbacks) < maxFallbacks1:
		return p, nil
	}
	next = p
	next.fallbacks = p.fallbacks[:maxFallbacks1-1]
	return next, p.fallbacks[maxFallbacks1-1:]
}

// PublishFallback records that an upload of a fallback key succeeded. A key
// that was replaced and dropped meanwhile is passed over. It fails with
// [ErrUnknownID].
func (p Pool) PublishFallback(now time.Time, id ID) (Pool, error) {
	next, err := p.sendFallback(now, id)
	if err != nil {
		return p, err
	}
	at := next.indexOf(id)
	if at < 0 {
		return next, nil
	}
	next.fallbacks[at].Published = true
	for i := range next.fallbacks[at+1:] {
		if f := &next.fallbacks[at+1+i]; f.Superseded.IsZero() {
			f.Superseded = p.stamp(now)
		}
	}
	return next, nil
}

// DoubtFallbacks returns the pool in which these keys do not count as replaced: an
// upload with one of them may still arrive, after those with newer ones that were
// published. It is for whoever remembers uploads that nobody heard of, after
// [Pool.PublishFallback].
func (p Pool) DoubtFallbacks(ids ...ID) Pool {
	next := p
	next.fallbacks = slices.Clone(p.fallbacks)
	for i := range next.fallbacks {
		if f := &next.fallbacks[i]; slices.Contains(ids, f.ID) {
			f.Superseded, f.SupersededIn = time.Time{}, 0
		}
	}
	return next
}

func (p Pool) indexOf(id ID) int {
	return slices.IndexFunc(p.fallbacks, func(f Fallback) bool { return f.ID == id })
}

// AbandonFallback records that nobody knows whether an upload of a fallback key
// reached the server. A key that was dropped meanwhile is passed over. It fails
// with [ErrUnknownID].
func (p Pool) AbandonFallback(now time.Time, id ID) (Pool, error) { return p.sendFallback(now, id) }

// SendFallback records that the current fallback key goes into a body.
func (p Pool) SendFallback(now time.Time) Pool {
	current, _ := p.Fallbacks()
	if current.ID == 0 {
		return p
	}
	next, _ := p.sendFallback(now, current.ID)
	return next
}

// sendFallback notes that a body with a fallback key may have arrived until now.
// If the key was replaced, the body may have come last and have put it back: then
// it counts as not replaced until a newer one is published once more.
func (p Pool) sendFallback(now time.Time, id ID) (Pool, error) {
	if id == 0 || id > p.last {
		return p, fmt.Errorf("%w: %v", ErrUnknownID, id)
	}
	next := p
	next.fallbacks = slices.Clone(p.fallbacks)
	if at := next.indexOf(id); at >= 0 {
		f := &next.fallbacks[at]
		f.InBody, f.Superseded, f.SupersededIn = p.stamp(now), time.Time{}, 0
	}
	return next, nil
}

// Ordered returns the pool in which all that was superseded has an order: this
// one, where it had none. It is for who stores what [Pool.PublishFallback] or
// [Pool.Raise] returned.
func (p Pool) Ordered(in Order) Pool {
	next := p
	next.fallbacks = slices.Clone(p.fallbacks)
	for i := range next.fallbacks {
		if f := &next.fallbacks[i]; p.raised && !f.Superseded.IsZero() && f.SupersededIn == 0 {
			f.SupersededIn = in
		}
	}
	return next
}

// Moved returns the pool in which a fallback key was superseded at another time:
// its own was of a wrong clock.
func (p Pool) Moved(id ID, to time.Time) Pool {
	next := p
	next.fallbacks = slices.Clone(p.fallbacks)
	if at := next.indexOf(id); at >= 0 && !next.fallbacks[at].Superseded.IsZero() {
		next.fallbacks[at].Superseded = record.Time(laterThanZero(to))
	}
	return next
}

// CurrentBack returns the pool in which the current fallback key was not made in
// the future, so that it is replaced in time: it counts from now on. Nothing else
// changes: the clock may be wrong now.
func (p Pool) CurrentBack(now time.Time) Pool {
	if len(p.fallbacks) == 0 || !p.fallbacks[0].Created.After(now) {
		return p
	}
	next := p
	next.fallbacks = slices.Clone(p.fallbacks)
	next.fallbacks[0].Created = record.Time(laterThanZero(now))
	return next
}
