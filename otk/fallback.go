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
// or it was published and is older than [FallbackLife]. See SetBack.
func (p Pool) FallbackDue(now time.Time) bool {
	current, _ := p.Fallbacks()
	if current.ID == 0 {
		return true
	}
	return current.Published && now.Sub(current.Created) >= FallbackLife
}

// SetBack returns the pool in which no fallback key is of the future: one that
// seems to be was made by a clock that ran ahead, and counts from now on. It is
// not replaced at once, since that would drop the previous key, which may have
// been the current one a moment ago.
func (p Pool) SetBack(now time.Time) Pool {
	if len(p.fallbacks) == 0 || !p.fallbacks[0].Created.After(now) {
		return p
	}
	p.fallbacks = slices.Clone(p.fallbacks)
	p.fallbacks[0].Created = record.Time(now)
	return p
}

// RotateFallback returns the pool with a new current fallback key, and this
// key. The current one becomes the previous one, and the previous one is
// dropped: its record is to be deleted. It fails with [ErrExhausted] or
// rand's error.
func (p Pool) RotateFallback(rand io.Reader, now time.Time) (next Pool, key Key, dropped Fallback, err error) {
	if p.last == math.MaxUint32 {
		return p, Key{}, Fallback{}, ErrExhausted
	}
	pair, err := ratchet.GenerateKeyPair(rand)
	if err != nil {
		return p, Key{}, Fallback{}, err
	}
	next = p
	next.last++
	made := Fallback{ID: next.last, Public: pair.Public(), Created: record.Time(now)}
	if p.raised {
		made.InBody = record.Time(laterThanZero(now))
	}
	next.fallbacks = append([]Fallback{made}, p.fallbacks...)
	if len(next.fallbacks) > maxFallbacks1 {
		next.fallbacks, dropped = next.fallbacks[:maxFallbacks1], next.fallbacks[maxFallbacks1]
	}
	return next, NewKey(next.last, pair, true, now), dropped, nil
}

// PublishFallback records that an upload of a fallback key succeeded. A key
// that was replaced and dropped meanwhile is passed over. It fails with
// [ErrUnknownID].
func (p Pool) PublishFallback(id ID, now time.Time) (Pool, error) {
	if id == 0 || id > p.last {
		return p, fmt.Errorf("%w: %v", ErrUnknownID, id)
	}
	next := p
	next.fallbacks = slices.Clone(p.fallbacks)
	for i := range next.fallbacks {
		f := &next.fallbacks[i]
		switch {
		case f.ID == id:
			f.Published = true
		case f.ID < id && p.raised && f.Superseded.IsZero() && slices.ContainsFunc(p.fallbacks, func(o Fallback) bool { return o.ID == id }):
			f.Superseded = record.Time(laterThanZero(now))
		}
	}
	return next, nil
}
