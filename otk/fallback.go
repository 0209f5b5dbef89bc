package otk

import (
	"fmt"
	"io"
	"math"
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
}

// Fallbacks returns the current and the previous fallback key. Either may be
// none, that is with ID 0.
func (p Pool) Fallbacks() (current, previous Fallback) { return p.current, p.previous }

// FallbackDue reports that the fallback key should be replaced: there is none,
// or it was published and is older than [FallbackLife]. See SetBack.
func (p Pool) FallbackDue(now time.Time) bool {
	if p.current.ID == 0 {
		return true
	}
	return p.current.Published && now.Sub(p.current.Created) >= FallbackLife
}

// SetBack returns the pool in which no fallback key is of the future: one that
// seems to be was made by a clock that ran ahead, and counts from now on. It is
// not replaced at once, since that would drop the previous key, which may have
// been the current one a moment ago.
func (p Pool) SetBack(now time.Time) Pool {
	if p.current.ID != 0 && p.current.Created.After(now) {
		p.current.Created = record.Time(now)
	}
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
	next.previous = p.current
	next.current = Fallback{ID: next.last, Public: pair.Public(), Created: record.Time(now)}
	return next, NewKey(next.last, pair, true, now), p.previous, nil
}

// PublishFallback records that an upload of a fallback key succeeded. A key
// that was replaced and dropped meanwhile is passed over. It fails with
// [ErrUnknownID].
func (p Pool) PublishFallback(id ID) (Pool, error) {
	next := p
	switch {
	case id == 0 || id > p.last:
		return p, fmt.Errorf("%w: %v", ErrUnknownID, id)
	case id == p.current.ID:
		next.current.Published = true
	case id == p.previous.ID:
		next.previous.Published = true
	}
	return next, nil
}
