package otk

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

// Entry is a one-time key in the pool.
type Entry struct {
	ID     ID
	Public ratchet.PublicKey
	Stage  Stage
	InBody time.Time // when it was last in a body that may have arrived; zero: never, or in format 1
}

// Pool is the set of an account's unused one-time keys with their stages, its
// fallback keys, and the last id given out.
type Pool struct {
	raised    bool // is of format 2, and has times
	last      ID
	entries   []Entry    // by id; never changed in place
	fallbacks []Fallback // the newest, that is the current one, first; never changed in place
}

// NewPool returns the empty pool of an account of format 2. The zero Pool is
// that of an account of format 1.
func NewPool() Pool { return Pool{raised: true} }

// Raised reports that the pool is of format 2.
func (p Pool) Raised() bool { return p.raised }

// Raise returns the pool in format 2. What was in a body, and what was replaced,
// counts from now on: format 1 does not say since when.
func (p Pool) Raise(now time.Time) Pool {
	if p.raised {
		return p
	}
	next := p
	next.raised = true
	now = record.Time(laterThanZero(now))
	next.entries, next.fallbacks = slices.Clone(p.entries), slices.Clone(p.fallbacks)
	for i := range next.entries {
		if e := &next.entries[i]; e.Stage != Generated {
			e.InBody = now
		}
	}
	for i := range next.fallbacks {
		next.fallbacks[i].InBody = now
		if i > 0 && slices.ContainsFunc(next.fallbacks[:i], func(f Fallback) bool { return f.Published }) {
			next.fallbacks[i].Superseded = now
		}
	}
	return next
}

// Next returns the id that the next key will get.
func (p Pool) Next() ID { return p.last + 1 }

// Len returns the number of one-time keys.
func (p Pool) Len() int { return len(p.entries) }

// Entries yields the one-time keys in order of id.
func (p Pool) Entries() iter.Seq[Entry] { return slices.Values(p.entries) }

// Count returns how many one-time keys are at a stage.
func (p Pool) Count(s Stage) int {
	n := 0
	for _, e := range p.entries {
		if e.Stage == s {
			n++
		}
	}
	return n
}

// Generate returns the pool with n new keys, and these keys. It fails with
// [ErrFull], [ErrExhausted] or rand's error.
func (p Pool) Generate(rand io.Reader, n int, now time.Time) (Pool, []Key, error) {
	if n < 0 || n > MaxKeys-len(p.entries) {
		return p, nil, fmt.Errorf("%w: %d more than the %d kept, at most %d", ErrFull, n, len(p.entries), MaxKeys)
	}
	if uint64(n) > uint64(math.MaxUint32-p.last) {
		return p, nil, ErrExhausted
	}
	next := p
	next.entries = append(make([]Entry, 0, len(p.entries)+n), p.entries...)
	keys := make([]Key, n)
	for i := range keys {
		pair, err := ratchet.GenerateKeyPair(rand)
		if err != nil {
			return p, nil, err
		}
		next.last++
		keys[i] = NewKey(next.last, pair, false, now)
		next.entries = append(next.entries, Entry{ID: next.last, Public: pair.Public(), Stage: Generated})
	}
	return next, keys, nil
}

// Offer returns the pool with at most n generated keys offered, the oldest
// first, and these keys. Each key is returned by one Offer, ever.
func (p Pool) Offer(n int, now time.Time) (Pool, []Entry) {
	next := p
	next.entries = slices.Clone(p.entries)
	at := p.inBody(now)
	var offered []Entry
	for i := range next.entries {
		if e := &next.entries[i]; e.Stage == Generated && len(offered) < n {
			e.Stage, e.InBody = Offered, at
			offered = append(offered, *e)
		}
	}
	return next, offered
}

// Withhold returns the pool in which these keys are never offered. Keys that are
// not there, or that were offered before, are passed over.
func (p Pool) Withhold(now time.Time, keys ...ratchet.PublicKey) Pool {
	next := p
	next.entries = slices.Clone(p.entries)
	for i := range next.entries {
		if e := &next.entries[i]; e.Stage == Generated && slices.Contains(keys, e.Public) {
			e.Stage, e.InBody = Abandoned, p.stamp(now)
		}
	}
	return next
}

// Publish records that the upload of these keys succeeded. Keys that were used
// or evicted meanwhile are passed over. It fails with [ErrStage] for a key
// that is generated or abandoned and with [ErrUnknownID].
func (p Pool) Publish(now time.Time, ids ...ID) (Pool, error) { return p.advance(Published, now, ids) }

// Abandon records that nobody knows whether the upload of these keys reached
// the server. Keys that were used or evicted meanwhile are passed over. It
// fails with [ErrStage] for a key that is generated or published and with
// [ErrUnknownID].
func (p Pool) Abandon(now time.Time, ids ...ID) (Pool, error) { return p.advance(Abandoned, now, ids) }

func (p Pool) advance(to Stage, now time.Time, ids []ID) (Pool, error) {
	next := p
	next.entries = slices.Clone(p.entries)
	at := p.inBody(now)
	for _, id := range ids {
		if id == 0 || id > p.last {
			return p, fmt.Errorf("%w: %v", ErrUnknownID, id)
		}
		i, ok := slices.BinarySearchFunc(next.entries, id, func(e Entry, id ID) int { return cmp.Compare(e.ID, id) })
		if !ok {
			continue
		}
		stage, err := next.entries[i].Stage.advance(to)
		if err != nil {
			return p, fmt.Errorf("key %v: %w", id, err)
		}
		e := &next.entries[i]
		if e.Stage != stage {
			e.InBody = at
		}
		e.Stage = stage
	}
	return next, nil
}

// Forget returns the pool without these keys: they were used, and their
// records are tombstones now. Keys that are not there are passed over.
func (p Pool) Forget(used ...ratchet.PublicKey) Pool {
	next := p
	next.entries = slices.DeleteFunc(slices.Clone(p.entries), func(e Entry) bool { return slices.Contains(used, e.Public) })
	return next
}

// Evict returns the pool with place for n more keys, and the keys dropped for
// that. Their records are to be deleted, and a message that needs them cannot be
// read any more. Of the keys that may be on the server, at whatever stage, the
// lowest ids go first: a server gives out what it was given first, so those are
// the likeliest to have been used. None that was in a body less than [KeyRest]
// ago goes while one is kept that was in a body before it. Generated keys stay,
// so the place may be less than asked.
func (p Pool) Evict(n int, now time.Time) (Pool, []Entry) {
	excess := len(p.entries) + n - MaxKeys
	if excess <= 0 {
		return p, nil
	}
	dropped := slices.DeleteFunc(slices.Clone(p.entries), func(e Entry) bool { return e.Stage == Generated })
	// Of equals, such as all rested ones, the lower id stays before the other.
	slices.SortStableFunc(dropped, func(a, b Entry) int { return cmp.Compare(a.unrested(now), b.unrested(now)) })
	dropped = dropped[:min(excess, len(dropped))]
	gone := make(map[ID]bool, len(dropped))
	for _, e := range dropped {
		gone[e.ID] = true
	}
	next := p
	next.entries = slices.DeleteFunc(slices.Clone(p.entries), func(e Entry) bool { return gone[e.ID] })
	return next, dropped
}

// EvictAbandoned is Evict for a further try of an upload that failed, which must not
// cost a key that is published: only abandoned keys go that were in no body for
// [KeyRest], so the place may be less than asked.
func (p Pool) EvictAbandoned(n int, now time.Time) (Pool, []Entry) {
	excess := len(p.entries) + n - MaxKeys
	next := p
	next.entries = nil
	var dropped []Entry
	for _, e := range p.entries {
		if len(dropped) < excess && e.Stage == Abandoned && e.unrested(now) == 0 {
			dropped = append(dropped, e)
		} else {
			next.entries = append(next.entries, e)
		}
	}
	return next, dropped
}

// Skip returns the pool that gives no more ids up to this one.
func (p Pool) Skip(to ID) Pool {
	next := p
	next.last = max(p.last, to)
	return next
}

// unrested returns when the key was last in a body, as milliseconds, or 0 if
// that is [KeyRest] ago or not known.
func (e Entry) unrested(now time.Time) int64 {
	if e.InBody.IsZero() || now.Sub(e.InBody) >= KeyRest {
		return 0
	}
	return record.Millis(e.InBody)
}

// Recover returns the pool of a store that may be a copy, or older than what
// this device once published: ids jump ahead by more than was lost, and no key
// made before is ever offered. Any of them may have been in a body in the time
// that was lost, and any fallback key in the last body that arrived in it, so
// none counts as replaced. It fails with [ErrExhausted].
func (p Pool) Recover(jump uint32, now time.Time) (Pool, error) {
	if jump > math.MaxUint32-uint32(p.last) {
		return p, ErrExhausted
	}
	next := p
	next.last += ID(jump)
	next.entries = slices.Clone(p.entries)
	for i := range next.entries {
		if e := &next.entries[i]; e.Stage == Generated || e.Stage == Offered {
			e.Stage, e.InBody = Abandoned, p.stamp(now)
		}
	}
	next.fallbacks = slices.Clone(p.fallbacks)
	for i := range next.fallbacks {
		f := &next.fallbacks[i]
		f.InBody, f.Superseded, f.SupersededIn = p.stamp(now), time.Time{}, 0
	}
	return next, nil
}

// FirstAfter returns the id of the first key after the last place where ids jumped
// ahead by so many, or 0 if they never did: where that is how far [Pool.Recover]
// jumps, keys with lower ids are from before the last recovery. An account of
// format 1 does not remember it otherwise.
func (p Pool) FirstAfter(jump uint32) ID {
	ids := []ID{p.last + 1}
	for _, f := range p.fallbacks {
		ids = append(ids, f.ID)
	}
	for _, e := range p.entries {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	for i := len(ids) - 1; i > 0; i-- {
		if uint32(ids[i]-ids[i-1]) > jump {
			return ids[i]
		}
	}
	return 0
}
