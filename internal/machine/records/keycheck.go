package records

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// checkKeys: an unused key is in the pool, its parts belong together, and a
// used one opened the session it names.
func checkKeys(c *Checkup) {
	pool, hasPool, _ := Pool.Get(c.Tx)
	pooled := map[ratchet.PublicKey]bool{}
	for _, public := range keysOf(pool) {
		pooled[public] = true
	}
	marks := marked(c)
	for k := range readable(c, &Keys) {
		if err := k.Check(); err != nil {
			says := fmt.Sprintf("key %s: %v", k.Public(), err)
			c.Find(Keys.Kind, goneKey(k.Public(), says), "%s", says)
			continue
		}
		switch _, _, used := k.Used(); {
		case used:
			checkUse(c, k, marks)
		case hasPool && !pooled[k.Public()]:
			c.Find(Keys.Kind, adopted(k.Public()), "key %s (%s) is not in the pool", k.ID(), k.Public())
		}
	}
}

// checkUse: the session that a key names is there, and was opened by it.
func checkUse(c *Checkup, k otk.Key, marks map[ratchet.SessionID]bool) {
	by, at, _ := k.Used()
	s, exists := c.sessionsByID()[by]
	switch {
	case exists && s.OneTimeKey() != k.Public():
		says := fmt.Sprintf("one-time key %s names session %s, which another key opened", k.Public(), by)
		c.Find(Keys.Kind, goneKey(k.Public(), says), "%s", says)
	case !exists && !marks[by] && !c.mayBeGone(by) && c.Account.Store.Now().Sub(at) < session.ReceiptLife:
		// Later, the session's own tombstone may have been swept, and the
		// key's goes with the next sweep.
		says := fmt.Sprintf("one-time key %s is used up and session %s, which it opened, is missing", k.Public(), by)
		c.Find(Keys.Kind, missFix(by, says), "%s", says)
	}
}

// keysOf returns all keys that the pool names.
func keysOf(p otk.Pool) (all []ratchet.PublicKey) {
	for e := range p.Entries() {
		all = append(all, e.Public)
	}
	for f := range p.AllFallbacks() {
		all = append(all, f.Public)
	}
	return all
}

// repairKey sets aside a key that cannot be read, and lets the pool forget it, if
// it names it. The mark in its place says that the key was ours.
func repairKey(c *Checkup, u unread) *Fix {
	pool, _, _ := Pool.Get(c.Tx)
	for _, public := range keysOf(pool) {
		if key, err := Keys.Key(c.Tx, public); err == nil && key == u.key {
			return goneKey(public, u.says)
		}
	}
	return setAsideFix(u, nil)
}

// goneKey sets aside what stands in the place of a key.
func goneKey(public ratchet.PublicKey, why string) *Fix {
	return inOne("set it aside, and take it out of the pool", func(tx *txn.Tx, a *machine.Account) error {
		if err := setAsideRecord(tx, a, &Keys, public, machine.Aside{Why: why}); err != nil {
			return err
		}
		return takeOut(tx, a, public)
	})
}

// missingKey leaves a mark where a key is missing.
func missingKey(public ratchet.PublicKey, why string) *Fix {
	return inOne("note that it is gone, and take it out of the pool", func(tx *txn.Tx, a *machine.Account) error {
		done, err := markMissing(tx, a, &Keys, public, machine.Aside{Why: why})
		if err != nil || !done {
			return err
		}
		return takeOut(tx, a, public)
	})
}

// forgotten takes a key out of the pool that was set aside before.
func forgotten(public ratchet.PublicKey) *Fix {
	return inOne("take it out of the pool", func(tx *txn.Tx, a *machine.Account) error {
		if _, _, err := Keys.Get(tx, public); !machine.IsSetAside(err) {
			return err
		}
		return takeOut(tx, a, public)
	})
}

// takeOut lets the pool forget a key, whatever it is. A fallback key that was the
// current one has a successor at once: the one before it must not be in a body
// again.
func takeOut(tx *txn.Tx, a *machine.Account, public ratchet.PublicKey) error {
	pool, err := PoolOf(tx, a)
	if machine.IsDamage(err) {
		return nil
	}
	if err != nil || !slices.Contains(keysOf(pool), public) {
		return err
	}
	pool, current := pool.Without(public)
	if current {
		if pool, err = ReplaceFallback(tx, a, pool, a.Store.Now()); err != nil {
			return err
		}
	}
	return Pool.Put(tx, pool)
}

// ReplaceLostFallback makes a new fallback key in the place of the current one,
// which cannot be read, so that it is in no body again. The record stays as it is
// for repair, unless the pool has no place for both. The pool is the caller's to
// store.
func ReplaceLostFallback(tx *txn.Tx, a *machine.Account, pool otk.Pool, now time.Time, why error) (otk.Pool, error) {
	next, err := ReplaceFallback(tx, a, pool, now)
	if !errors.Is(err, otk.ErrFull) {
		return next, err
	}
	lost, _ := pool.Fallbacks()
	if err := setAsideRecord(tx, a, &Keys, lost.Public, machine.Aside{Why: why.Error()}); err != nil {
		return pool, err
	}
	pool, _ = pool.Without(lost.Public)
	return ReplaceFallback(tx, a, pool, now)
}

// adopted takes a key into the pool, as one that may be on the server. Where that
// is not possible it is set aside.
func adopted(public ratchet.PublicKey) *Fix {
	return inOne("take it into the pool: it is never offered again", func(tx *txn.Tx, a *machine.Account) error {
		k, ok, err := Keys.Get(tx, public)
		if machine.IsSetAside(err) || machine.IsDamage(err) || err == nil && !ok {
			return nil
		}
		if err != nil {
			return err
		}
		pool, err := PoolOf(tx, a)
		if err != nil || slices.Contains(keysOf(pool), public) {
			return err
		}
		if _, _, used := k.Used(); used {
			return nil
		}
		if pool, ok = pool.Adopt(k, a.Store.Now()); ok {
			return Pool.Put(tx, pool)
		}
		return setAsideRecord(tx, a, &Keys, public, machine.Aside{Why: "the pool has no place for it"})
	})
}
