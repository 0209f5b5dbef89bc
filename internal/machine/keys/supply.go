package keys

import (
	"errors"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/txn"
)

// each is what offering a key takes of a commit, if another is dropped for it.
var each = machine.Share{Bytes: 512, Writes: 2, Checks: 1}

// errFull ends an attempt that would drop keys before the used ones are
// forgotten.
var errFull = errors.New("pawl: the pool is full")

// supply makes keys to be offered, and drops old ones where there is no place for
// them.
type supply struct {
	account *machine.Account
	tidy    bool // the pool was made to forget the used keys
	sparing bool // nothing goes that is published
	dropped []otk.ID
}

// generate makes n new one-time keys, or fewer where it is sparing.
func (s *supply) generate(tx *txn.Tx, pool otk.Pool, n int, now time.Time) (otk.Pool, error) {
	if n <= 0 {
		return pool, nil
	}
	evict := otk.Pool.Evict
	if s.sparing {
		evict = otk.Pool.EvictAbandoned
	}
	full := pool.Len()+n > otk.MaxKeys
	if full && !s.tidy {
		return pool, errFull
	}
	pool, dropped := evict(pool, n, now)
	if err := s.drop(tx, dropped); err != nil {
		return pool, err
	}
	if s.sparing {
		n = min(n, otk.MaxKeys-pool.Len())
	}
	pool, made, err := pool.Generate(s.account.Store.Rand, n, now)
	if err != nil {
		return pool, err
	}
	for _, k := range made {
		if err := records.Keys.Put(tx, k); err != nil {
			return pool, err
		}
	}
	return pool, nil
}

// drop deletes what the pool has no place for. A key that was used a moment
// ago leaves its tombstone, and one that cannot be read is left for repair.
func (s *supply) drop(tx *txn.Tx, dropped []otk.Entry) error {
	gone, err := records.GoneOf(tx, slices.Values(dropped))
	if err != nil {
		return err
	}
	for _, e := range dropped {
		if slices.Contains(gone.Used, e.Public) {
			continue
		}
		s.dropped = append(slices.Clip(s.dropped), e.ID)
		if slices.Contains(gone.Damaged, e.Public) {
			continue
		}
		if err := records.Keys.Delete(tx, e.Public); err != nil {
			return err
		}
	}
	return nil
}

// withholdDamaged keeps keys that were made before and cannot be read from being
// offered: what peers encrypt with them could not be read either. It says why the
// current fallback key cannot be read, if it is one.
func withholdDamaged(tx *txn.Tx, a *machine.Account, pool otk.Pool, now time.Time) (_ otk.Pool, fallback, err error) {
	current, _ := pool.Fallbacks()
	gone, err := records.GoneOf(tx, func(yield func(otk.Entry) bool) {
		if current.ID != 0 && !yield(otk.Entry{ID: current.ID, Public: current.Public}) {
			return
		}
		for e := range pool.Entries() {
			if e.Stage == otk.Generated && !yield(e) {
				return
			}
		}
	})
	a.Store.Tell(tx, gone.Why.All())
	if slices.Contains(gone.Damaged, current.Public) {
		fallback = gone.Why.All()[0] // it was asked for first
	}
	return pool.Withhold(now, gone.Damaged...), fallback, err
}

// freshFallback replaces the current fallback key where it must be: it cannot be
// read, or it has had its time, or it was used.
func freshFallback(tx *txn.Tx, a *machine.Account, pool otk.Pool, from, used otk.ID, lost error, now time.Time) (otk.Pool, error) {
	switch {
	case lost != nil:
		return records.ReplaceLostFallback(tx, a, pool, now, lost)
	case pool.FallbackDue(from, now), pool.FallbackSpent(used, now):
		return records.ReplaceFallback(tx, a, pool, now)
	}
	return pool, nil
}

func ids(entries []otk.Entry) []otk.ID {
	var ids []otk.ID
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	return ids
}
