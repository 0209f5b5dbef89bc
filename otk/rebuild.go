package otk

import (
	"cmp"
	"slices"
	"time"

	"github.com/pawlkv/pawl/ratchet"
)

// Rebuild returns a pool that names these keys of an account whose pool is lost,
// in the account's format. Nobody knows any more how far each had come: none of
// the one-time keys is offered again, and none of the fallback keys counts as
// replaced. Where there are more than a pool may have the newest are named. Ids
// that were given out to keys which are gone may be given out again: [Pool.Recover]
// lets them jump ahead.
func Rebuild(keys []Key, raised bool, now time.Time) Pool {
	p := Pool{raised: raised}
	keys = slices.Clone(keys)
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(b.id, a.id) }) // the newest first
	keys = slices.CompactFunc(keys, func(a, b Key) bool { return a.id == b.id })
	most := maxFallbacks1
	if raised {
		most = MaxFallbacks
	}
	for _, k := range keys {
		p.last = max(p.last, k.id)
		switch _, _, used := k.Used(); {
		case used:
		case k.fallback && len(p.fallbacks) < most:
			p.fallbacks = append(p.fallbacks, Fallback{ID: k.id, Public: k.public, Created: k.created, Published: true, InBody: p.stamp(now)})
		case !k.fallback && len(p.entries) < MaxKeys:
			p.entries = append(p.entries, Entry{k.id, k.public, Abandoned, p.stamp(now)})
		}
	}
	slices.Reverse(p.entries)
	return p
}

// Adopt returns the pool with a key that it does not name, as one that may be on
// the server and is never offered again. It returns false if there is no place
// for it, or another key has its id, or a fallback key would become the current
// one.
func (p Pool) Adopt(k Key, now time.Time) (Pool, bool) {
	byID := func(e Entry, id ID) int { return cmp.Compare(e.ID, id) }
	i, taken := slices.BinarySearchFunc(p.entries, k.id, byID)
	taken = taken || slices.ContainsFunc(p.fallbacks, func(f Fallback) bool { return f.ID == k.id })
	next := p
	next.last = max(p.last, k.id)
	switch {
	case taken:
		return p, false
	case !k.fallback:
		next.entries = slices.Insert(slices.Clone(p.entries), i, Entry{k.id, k.public, Abandoned, p.stamp(now)})
		return next, len(next.entries) <= MaxKeys
	case !p.raised || len(p.fallbacks) == 0 || len(p.fallbacks) == MaxFallbacks || k.id > p.fallbacks[0].ID:
		return p, false
	}
	next.fallbacks = append(slices.Clone(p.fallbacks), Fallback{ID: k.id, Public: k.public, Created: k.created, Published: true, InBody: p.stamp(now)})
	slices.SortFunc(next.fallbacks, func(a, b Fallback) int { return cmp.Compare(b.ID, a.ID) })
	return next, true
}

// Without returns the pool without these keys, fallback keys among them, and
// whether the current fallback key is one of them: then the one before it is not
// to become the current one again, and there must be a new one.
func (p Pool) Without(gone ...ratchet.PublicKey) (next Pool, current bool) {
	next = p.Forget(gone...)
	current = len(p.fallbacks) > 0 && slices.Contains(gone, p.fallbacks[0].Public)
	next.fallbacks = slices.DeleteFunc(slices.Clone(p.fallbacks), func(f Fallback) bool { return slices.Contains(gone, f.Public) })
	return next, current
}
