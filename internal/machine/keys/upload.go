package keys

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/txn"
)

// MaxUpload is how many one-time keys one upload may carry.
const MaxUpload = 1000

// ErrCount: see package pawl.
var ErrCount = fmt.Errorf("pawl: number of one-time keys must be 0 to %d", MaxUpload)

// Upload is a body for POST /_matrix/client/v3/keys/upload, and what is in it.
type Upload struct {
	Body        json.RawMessage
	OneTimeKeys []otk.ID // in Body, offered now
	Fallback    otk.ID   // in Body
	Evicted     []otk.ID // dropped to stay within otk.MaxKeys
}

// Offer returns an upload body with n one-time keys, making those that are
// missing, and with the fallback key. It commits that the keys are offered
// before it returns.
func Offer(ctx context.Context, a *machine.Account, n int) (Upload, error) {
	if n < 0 || n > MaxUpload {
		return Upload{}, ErrCount
	}
	return txn.Do(ctx, a.DB, func(tx *txn.Tx) (Upload, error) {
		if err := tx.Prefetch(a.Ref(), records.Pool.Ref()); err != nil {
			return Upload{}, err
		}
		v, err := a.Sending(tx)
		if err != nil {
			return Upload{}, err
		}
		pool, err := records.UnusedPool(tx)
		if err != nil {
			return Upload{}, err
		}
		return offer(tx, a, v, pool, n)
	})
}

// offer tops the pool up, offers n keys and writes the body.
func offer(tx *txn.Tx, a *machine.Account, v account.Account, pool otk.Pool, n int) (Upload, error) {
	now := a.Store.Now()
	pool, evicted, err := generate(tx, a, pool, n-pool.Count(otk.Generated), now)
	if err != nil {
		return Upload{}, err
	}
	pool, err = rotateFallback(tx, a, pool, now)
	if err != nil {
		return Upload{}, err
	}
	pool, offered := pool.Offer(n)
	current, _ := pool.Fallbacks()
	body, err := v.UploadBody(true, offered, current)
	if err != nil {
		return Upload{}, err
	}
	return Upload{body, ids(offered), current.ID, ids(evicted)}, records.Pool.Put(tx, pool)
}

// generate makes n new one-time keys, dropping old ones where there is no
// place for them.
func generate(tx *txn.Tx, a *machine.Account, pool otk.Pool, n int, now time.Time) (otk.Pool, []otk.Entry, error) {
	if n <= 0 {
		return pool, nil, nil
	}
	pool, evicted := pool.Evict(n)
	for _, e := range evicted {
		if err := records.Keys.Delete(tx, e.Public); err != nil {
			return pool, nil, err
		}
	}
	pool, made, err := pool.Generate(a.Store.Rand, n, now)
	if err != nil {
		return pool, nil, err
	}
	for _, k := range made {
		if err := records.Keys.Put(tx, k); err != nil {
			return pool, nil, err
		}
	}
	return pool, evicted, nil
}

func rotateFallback(tx *txn.Tx, a *machine.Account, pool otk.Pool, now time.Time) (otk.Pool, error) {
	pool = pool.SetBack(now)
	if !pool.FallbackDue(now) {
		return pool, nil
	}
	return records.ReplaceFallback(tx, a, pool, now)
}

func ids(entries []otk.Entry) []otk.ID {
	var ids []otk.ID
	for _, e := range entries {
		ids = append(ids, e.ID)
	}
	return ids
}
