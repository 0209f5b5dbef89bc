package pawl

import (
	"context"
	"encoding/json"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// MaxUploadKeys is how many one-time keys one upload may carry. Servers are
// kept at 50; the rest is room for a caller that tops up several at once.
const MaxUploadKeys = 1000

// Upload is a body for POST /_matrix/client/v3/keys/upload, and what is in it.
type Upload struct {
	// Body is complete and signed: device_keys, one_time_keys, fallback_keys.
	Body json.RawMessage
	// OneTimeKeys are in Body and offered now: no other Upload will have them.
	OneTimeKeys []otk.ID
	// Fallback is the fallback key in Body.
	Fallback otk.ID
	// Evicted are one-time keys that were dropped to stay within otk.MaxKeys.
	// A message that a peer encrypts with one of them cannot be read.
	Evicted []otk.ID
}

// KeysForUpload returns an upload body with n one-time keys, making those that
// are missing, and with the fallback key, which is replaced a week after it was
// published. It commits that the keys are offered before it returns: call it only to send the body.
// Afterwards call MarkPublished or Abandon.
//
// It fails with ErrOneTimeKeyCount, account.ErrRetired, ErrNeedsRecovery or
// otk.ErrExhausted.
func (m *Machine) KeysForUpload(ctx context.Context, n int) (Upload, error) {
	if n < 0 || n > MaxUploadKeys {
		return Upload{}, ErrOneTimeKeyCount
	}
	return txn.Do(ctx, m.db, func(tx *txn.Tx) (Upload, error) {
		if err := tx.Prefetch(m.accountRef(), pools.Ref()); err != nil {
			return Upload{}, err
		}
		a, err := m.sending(tx)
		if err != nil {
			return Upload{}, err
		}
		pool, err := m.settledPool(tx)
		if err != nil {
			return Upload{}, err
		}
		return m.offer(tx, a, pool, n)
	})
}

// offer tops the pool up, offers n keys and writes the body.
func (m *Machine) offer(tx *txn.Tx, a account.Account, pool otk.Pool, n int) (Upload, error) {
	now := m.now()
	pool, evicted, err := m.generate(tx, pool, n-pool.Count(otk.Generated), now)
	if err != nil {
		return Upload{}, err
	}
	pool, err = m.rotateFallback(tx, pool, now)
	if err != nil {
		return Upload{}, err
	}
	pool, offered := pool.Offer(n)
	current, _ := pool.Fallbacks()
	body, err := a.UploadBody(true, offered, current)
	if err != nil {
		return Upload{}, err
	}
	return Upload{body, ids(offered), current.ID, ids(evicted)}, pools.Put(tx, pool)
}

// settledPool returns the pool without the keys that were used since it was
// last written: sessions consume a key's own record and leave the pool alone.
func (m *Machine) settledPool(tx *txn.Tx) (otk.Pool, error) {
	pool, _, err := pools.Get(tx)
	if err != nil {
		return pool, err
	}
	var publics []ratchet.PublicKey
	for e := range pool.Entries() {
		publics = append(publics, e.Public)
	}
	found, err := keys.GetAll(tx, publics...)
	if err != nil {
		return pool, err
	}
	var used []ratchet.PublicKey
	for i, f := range found {
		if !f.OK {
			return pool, corrupt("the pool names one-time key %s, which is missing", publics[i])
		}
		if _, _, gone := f.Value.Used(); gone {
			used = append(used, publics[i])
		}
	}
	return pool.Forget(used...), nil
}

// generate makes n new one-time keys, dropping old ones where there is no
// place for them.
func (m *Machine) generate(tx *txn.Tx, pool otk.Pool, n int, now time.Time) (otk.Pool, []otk.Entry, error) {
	if n <= 0 {
		return pool, nil, nil
	}
	pool, evicted := pool.Evict(n)
	for _, e := range evicted {
		if err := keys.Delete(tx, e.Public); err != nil {
			return pool, nil, err
		}
	}
	pool, made, err := pool.Generate(m.store.opts.rand, n, now)
	if err != nil {
		return pool, nil, err
	}
	for _, k := range made {
		if err := keys.Put(tx, k); err != nil {
			return pool, nil, err
		}
	}
	return pool, evicted, nil
}

func (m *Machine) rotateFallback(tx *txn.Tx, pool otk.Pool, now time.Time) (otk.Pool, error) {
	pool = pool.SetBack(now)
	if !pool.FallbackDue(now) {
		return pool, nil
	}
	return m.replaceFallback(tx, pool, now)
}

// replaceFallback makes a new fallback key. The current one becomes the
// previous one, and that one is dropped.
func (m *Machine) replaceFallback(tx *txn.Tx, pool otk.Pool, now time.Time) (otk.Pool, error) {
	pool, made, dropped, err := pool.RotateFallback(m.store.opts.rand, now)
	if err != nil {
		return pool, err
	}
	if dropped.ID != 0 {
		if err := keys.Delete(tx, dropped.Public); err != nil {
			return pool, err
		}
	}
	return pool, keys.Put(tx, made)
}

// Outstanding returns what was offered and whose outcome was never told: the
// one-time keys at that stage, and the fallback key, without a body. It is for
// a caller that lost its Upload, and goes to MarkPublished or Abandon.
func (m *Machine) Outstanding(ctx context.Context) (Upload, error) {
	return txn.View(ctx, m.db, func(tx *txn.Tx) (Upload, error) {
		if _, err := m.account(tx); err != nil {
			return Upload{}, err
		}
		pool, _, err := pools.Get(tx)
		if err != nil {
			return Upload{}, err
		}
		var u Upload
		for e := range pool.Entries() {
			if e.Stage == otk.Offered {
				u.OneTimeKeys = append(u.OneTimeKeys, e.ID)
			}
		}
		current, _ := pool.Fallbacks()
		u.Fallback = current.ID
		return u, nil
	})
}

// MarkPublished records that the server took an upload. It fails with
// otk.ErrStage for a key that was abandoned, by Recover too, and
// otk.ErrUnknownID.
func (m *Machine) MarkPublished(ctx context.Context, u Upload) error {
	return m.editPool(ctx, func(pool otk.Pool) (otk.Pool, error) {
		pool, err := pool.Publish(u.OneTimeKeys...)
		if err != nil || u.Fallback == 0 {
			return pool, err
		}
		return pool.PublishFallback(u.Fallback)
	})
}

// Abandon records that nobody knows whether an upload reached the server. Its
// one-time keys keep their private parts and are never offered again. It
// fails with otk.ErrStage for a key that was published, and otk.ErrUnknownID.
func (m *Machine) Abandon(ctx context.Context, u Upload) error {
	return m.editPool(ctx, func(pool otk.Pool) (otk.Pool, error) {
		return pool.Abandon(u.OneTimeKeys...)
	})
}

func (m *Machine) editPool(ctx context.Context, edit func(otk.Pool) (otk.Pool, error)) error {
	_, err := txn.Do(ctx, m.db, func(tx *txn.Tx) (struct{}, error) {
		if err := tx.Prefetch(m.accountRef(), pools.Ref()); err != nil {
			return struct{}{}, err
		}
		if _, err := m.active(tx); err != nil {
			return struct{}{}, err
		}
		pool, _, err := pools.Get(tx)
		if err != nil {
			return struct{}{}, err
		}
		pool, err = edit(pool)
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, pools.Put(tx, pool)
	})
	return err
}

func ids(entries []otk.Entry) []otk.ID {
	var ids []otk.ID
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	return ids
}
