package records

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Pool: which one-time and fallback keys there are, otk-pool. It has their public parts
// alone, and each sync looks at it.
var Pool = txn.Single[otk.Pool]{Kind: "otk-pool", Codec: machine.Encoded[otk.Pool]{Read: otk.DecodePool}, Steady: true}

func poolKind() Kind {
	return Kind{
		Records: one(&Pool), Check: checkPool, Broken: func(_ *Checkup, u unread) *Fix { return rebuiltPool(u.version, u.says) },
		Sweep: sweepPool, Inspect: inspectPool, Recover: recoverLostPool, FinishRecovery: recoverPool,
	}
}

const (
	// idJump is by how much key ids jump ahead at least when an account is
	// recovered: no device makes as many keys between a backup and its
	// restoration.
	idJump = 1 << 20
	// idSpread bounds what is added to that at random, since a backup may be
	// restored twice. Some 400 recoveries exhaust the ids.
	idSpread = 1 << 24
)

// ReadPool returns the pool, which an account has from the first time on that
// it makes keys. Where there are keys and no pool it is lost, and not a new one:
// that would give the same ids to other keys.
func ReadPool(tx *txn.Tx) (otk.Pool, error) {
	pool, ok, err := Pool.Get(tx)
	if ok || err != nil {
		return pool, err
	}
	for _, err := range Keys.Some(tx, txn.Path{}, 1) {
		if err != nil && !machine.IsDamage(err) {
			return pool, err
		}
		return pool, machine.Corrupt("there are one-time keys but no pool that names them")
	}
	return pool, nil
}

// ForgetUsed lets the pool forget the keys that were used since it was last
// written: sessions consume a key's own record and leave the pool alone. What
// was used stays used, so it is looked for in a view, and the commit reads the
// pool only: first messages that come meanwhile do not conflict with it.
//
// Keys that cannot be read stay in the pool, and are returned.
func ForgetUsed(ctx context.Context, a *machine.Account) (machine.Damages, error) {
	gone, err := txn.View(ctx, a.DB, func(tx *txn.Tx) (Gone, error) {
		pool, err := ReadPool(tx)
		if err != nil {
			return Gone{}, err
		}
		return GoneOf(tx, pool.Entries())
	})
	if err != nil || len(gone.Used) == 0 {
		return gone.Why, err
	}
	return gone.Why, a.Do(ctx, func(tx *txn.Tx) error {
		if _, err := a.Active(tx); err != nil {
			return err
		}
		pool, err := PoolOf(tx, a)
		if err != nil {
			return err
		}
		return Pool.Put(tx, pool.Forget(gone.Used...))
	})
}

// Gone are entries of the pool whose keys are not there to be used.
type Gone struct {
	Used    []ratchet.PublicKey
	Damaged []ratchet.PublicKey // cannot be read, or are missing
	Why     machine.Damages     // of the damaged ones
}

// GoneOf looks at the keys of entries of the pool.
func GoneOf(tx *txn.Tx, entries iter.Seq[otk.Entry]) (g Gone, err error) {
	var names []ratchet.PublicKey
	for e := range entries {
		names = append(names, e.Public)
	}
	found, err := Keys.GetAll(tx, names...)
	if err != nil {
		return g, err
	}
	for i, f := range found {
		err := f.Err
		if err == nil && !f.OK {
			err = machine.Corrupt("the pool names one-time key %s, which is missing", names[i])
		}
		switch {
		case g.Why.Note(err):
			g.Damaged = append(g.Damaged, names[i])
		case err != nil:
			return g, err
		default:
			if _, _, used := f.Value.Used(); used {
				g.Used = append(g.Used, names[i])
			}
		}
	}
	return g, nil
}

// sweepPool makes the pool need none of the tombstones that are old enough to
// be deleted, and drops the fallback keys that have had their time.
func sweepPool(ctx context.Context, s *Sweep) error {
	damaged, err := ForgetUsed(ctx, s.Account)
	s.Damaged.Add(damaged.All()...)
	if err != nil {
		return err
	}
	s.Done.FallbackKeys, err = txn.Do(ctx, s.Account.DB, func(tx *txn.Tx) (int, error) {
		return dropFallbacks(tx, s.Account, s.Now)
	})
	return err
}

func dropFallbacks(tx *txn.Tx, a *machine.Account, now time.Time) (int, error) {
	if _, err := a.Active(tx); err != nil {
		return 0, err
	}
	pool, err := PoolOf(tx, a)
	if err != nil {
		return 0, err
	}
	next := pool.SetBack(now)
	ahead := pool.Ahead(now)
	next, dropped := next.DropFallbacks(now)
	if len(dropped) == 0 && !ahead {
		return 0, nil
	}
	if err := deleteFallbacks(tx, dropped); err != nil {
		return 0, err
	}
	return len(dropped), Pool.Put(tx, next)
}

func deleteFallbacks(tx *txn.Tx, dropped []otk.Fallback) error {
	for _, f := range dropped {
		if err := Keys.Delete(tx, f.Public); err != nil {
			return err
		}
	}
	return nil
}

// KeyCounts counts one-time keys by stage and names the fallback keys.
type KeyCounts struct {
	Generated, Offered, Published, Abandoned int
	Used                                     int // tombstones
	NextID                                   otk.ID
	Fallback, PreviousFallback               otk.ID // 0: none
}

func inspectPool(tx *txn.Tx, _ *machine.Account, out *Inspection, damaged *machine.Damages) error {
	pool, err := ReadPool(tx)
	if damaged.Note(err) {
		return nil
	}
	if err != nil {
		return err
	}
	gone, err := GoneOf(tx, pool.Entries())
	if err != nil {
		return err
	}
	damaged.Add(gone.Why.All()...)
	pool = pool.Forget(gone.Used...)
	current, previous := pool.Fallbacks()
	counts := &out.Keys
	counts.Generated, counts.Offered = pool.Count(otk.Generated), pool.Count(otk.Offered)
	counts.Published, counts.Abandoned = pool.Count(otk.Published), pool.Count(otk.Abandoned)
	counts.NextID, counts.Fallback, counts.PreviousFallback = pool.Next(), current.ID, previous.ID
	return nil
}

// recoverPool gives up the keys that were not published and lets the ids jump
// ahead. The next upload makes a new fallback key: if that were made here, each
// recovery of a device that is offline would make one.
func recoverPool(tx *txn.Tx, a *machine.Account, done *Recovered) error {
	v, err := a.Active(tx)
	if err != nil {
		return err
	}
	pool, err := PoolOf(tx, a)
	if err != nil {
		return err
	}
	before := pool.Count(otk.Abandoned)
	jump, err := jump(a.Store.Rand)
	if err != nil {
		return err
	}
	now := a.Store.Now()
	if pool, err = pool.Recover(jump, now); err != nil {
		return err
	}
	done.OneTimeKeys += pool.Count(otk.Abandoned) - before
	if !v.Raised() {
		if pool, err = replaceFallback1(tx, a, pool, now); err != nil {
			return err
		}
	}
	return Pool.Put(tx, pool)
}

// replaceFallback1 makes a new fallback key where the account, in format 1, does
// not remember that the old one is from before the recovery. A current key that
// was not published stays: there is place for two, and the other one is what the
// server has.
func replaceFallback1(tx *txn.Tx, a *machine.Account, pool otk.Pool, now time.Time) (otk.Pool, error) {
	if current, _ := pool.Fallbacks(); current.ID != 0 && !current.Published {
		return pool, nil
	}
	return ReplaceFallback(tx, a, pool, now)
}

// PoolOf reads the pool to change it. It has the account's format, also where
// nothing was stored in it yet.
func PoolOf(tx *txn.Tx, a *machine.Account) (otk.Pool, error) {
	v, err := a.Read(tx)
	if err != nil {
		return otk.Pool{}, err
	}
	pool, err := ReadPool(tx)
	if err == nil && v.Raised() {
		pool = pool.Raise(a.Store.Now())
	}
	return pool, err
}

func jump(rand io.Reader) (uint32, error) {
	var random [4]byte
	if _, err := io.ReadFull(rand, random[:]); err != nil {
		return 0, fmt.Errorf("pawl: random bytes for key ids: %w", err)
	}
	return idJump + binary.BigEndian.Uint32(random[:])%idSpread, nil
}

// ReplaceFallback makes a new fallback key. The current one becomes the previous
// one. The pool is the caller's to store.
func ReplaceFallback(tx *txn.Tx, a *machine.Account, pool otk.Pool, now time.Time) (otk.Pool, error) {
	pool, made, dropped, err := pool.RotateFallback(a.Store.Rand, now)
	if err != nil {
		return pool, err
	}
	if err := deleteFallbacks(tx, dropped); err != nil {
		return pool, err
	}
	return pool, Keys.Put(tx, made)
}
