package records

import (
	"context"
	"fmt"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// checkPool: what the pool names exists, with the same id and no other. A key
// that cannot be read is complained of by itself.
func checkPool(c *Checkup) {
	pool, ok, err := Pool.Get(c.Tx)
	if err != nil {
		return
	}
	if !ok {
		if _, err := ReadPool(c.Tx); err != nil {
			says := err.Error()
			c.Find(Pool.Kind, rebuiltPool(0, says), "%s", says)
		}
		return
	}
	p := poolCheck{c, pool, keysByPublic(c), map[otk.ID]bool{}, ""}
	for e := range pool.Entries() {
		p.named(e.ID, e.Public, false)
	}
	for f := range pool.AllFallbacks() {
		p.named(f.ID, f.Public, true)
	}
	if p.wrong != "" {
		version, _ := Pool.Version(c.Tx)
		c.Find(Pool.Kind, rebuiltPool(version, p.wrong), "%s", p.wrong)
	}
}

type poolCheck struct {
	*Checkup
	pool  otk.Pool
	keys  map[ratchet.PublicKey]otk.Key
	seen  map[otk.ID]bool
	wrong string // with the pool itself
}

func (p *poolCheck) named(id otk.ID, public ratchet.PublicKey, fallback bool) {
	if p.seen[id] {
		p.wrong = fmt.Sprintf("key id %s is in the pool twice", id)
	}
	if id >= p.pool.Next() {
		p.wrong = fmt.Sprintf("key id %s was not given out yet", id)
	}
	p.seen[id] = true
	switch at(p.Checkup, &Keys, public) {
	case nothing:
		says := fmt.Sprintf("the pool names key %s (%s), which is missing", id, public)
		p.Find(Keys.Kind, missingKey(public, says), "%s", says)
	case aside:
		p.Find(Pool.Kind, forgotten(public), "the pool names key %s (%s), which was set aside", id, public)
	case whole:
		if k := p.keys[public]; k.ID() != id || k.Fallback() != fallback {
			says := fmt.Sprintf("key %s has another id or kind in the pool (%s)", public, id)
			p.Find(Keys.Kind, goneKey(public, says), "%s", says)
		}
	}
}

// rebuiltPool makes the pool again from the keys that there are. It is as after a
// recovery: none of them is offered again, ids jump ahead of what the lost pool
// may have given out, and sessions that peers open with them only receive.
func rebuiltPool(version kv.Version, why string) *Fix {
	says := "make the pool again from the keys that there are, none of which is offered again"
	return &Fix{says, func(ctx context.Context, a *machine.Account) error { return rebuildAt(ctx, a, version, why) }}
}

func rebuildAt(ctx context.Context, a *machine.Account, version kv.Version, why string) error {
	// Only the pool decides that a key is deleted, and there is none: in the
	// meantime keys are used, and nothing else. So they are read beforehand,
	// however many they are.
	keys, err := txn.View(ctx, a.DB, readKeys)
	if err != nil {
		return err
	}
	return a.Do(ctx, func(tx *txn.Tx) error {
		if now, err := Pool.Version(tx); err != nil || now != version {
			return err
		}
		return rebuildPool(tx, a, keys, why)
	})
}

func readKeys(tx *txn.Tx) (keys []otk.Key, err error) {
	for k, err := range Keys.Scan(tx) {
		if err != nil && !machine.IsDamage(err) {
			return nil, err
		}
		if err == nil && k.Check() == nil {
			keys = append(keys, k)
		}
	}
	return keys, nil
}

func rebuildPool(tx *txn.Tx, a *machine.Account, keys []otk.Key, why string) error {
	v, err := a.Active(tx)
	if err != nil {
		return err
	}
	if err := setPoolAside(tx, a, why); err != nil {
		return err
	}
	jump, err := jump(a.Store.Rand)
	if err != nil {
		return err
	}
	now := a.Store.Now()
	pool, err := otk.Rebuild(keys, v.Raised(), now).Recover(jump, now)
	if err != nil {
		return err
	}
	if !v.Raised() {
		pool, err = replaceFallback1(tx, a, pool, now)
	} else {
		err = machine.Accounts.Put(tx, v.BeginKeys(pool.Next()))
	}
	if err != nil {
		return err
	}
	return Pool.Put(tx, pool)
}

func setPoolAside(tx *txn.Tx, a *machine.Account, why string) error {
	key, err := Pool.Key(tx)
	if err != nil {
		return err
	}
	version, err := Pool.Version(tx)
	if err != nil || version == 0 {
		return err
	}
	_, err = machine.SetAside(tx, a, key, version, machine.Aside{Why: why})
	return err
}

// recoverLostPool makes the pool again where it is lost: what the lost time may
// have used is given up with it.
func recoverLostPool(ctx context.Context, r *Recovery) error {
	var lost error
	version, err := txn.View(ctx, r.Account.DB, func(tx *txn.Tx) (kv.Version, error) {
		if _, lost = ReadPool(tx); lost != nil && !machine.IsDamage(lost) {
			return 0, lost
		}
		return Pool.Version(tx)
	})
	if err != nil || lost == nil {
		return err
	}
	r.Damaged.Add(lost)
	return rebuildAt(ctx, r.Account, version, lost.Error())
}
