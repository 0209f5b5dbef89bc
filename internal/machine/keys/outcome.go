package keys

import (
	"context"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/txn"
)

// Outstanding returns what was offered and whose outcome was never told,
// without a body.
func Outstanding(ctx context.Context, a *machine.Account) (Upload, error) {
	return txn.View(ctx, a.DB, func(tx *txn.Tx) (Upload, error) {
		if _, err := a.Read(tx); err != nil {
			return Upload{}, err
		}
		pool, err := records.ReadPool(tx)
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

// MarkPublished records that the server took an upload.
func MarkPublished(ctx context.Context, a *machine.Account, u Upload) error {
	return editPool(ctx, a, u, otk.Pool.Publish, otk.Pool.PublishFallback)
}

// Abandon records that nobody knows whether an upload reached the server.
func Abandon(ctx context.Context, a *machine.Account, u Upload) error {
	return editPool(ctx, a, u, otk.Pool.Abandon, otk.Pool.AbandonFallback)
}

// editPool records an outcome of the keys in an upload.
func editPool(ctx context.Context, a *machine.Account, u Upload,
	oneTime func(otk.Pool, time.Time, ...otk.ID) (otk.Pool, error),
	fallback func(otk.Pool, time.Time, otk.ID) (otk.Pool, error),
) error {
	return a.Do(ctx, func(tx *txn.Tx) error {
		if err := tx.Prefetch(a.Ref(), records.Pool.Ref()); err != nil {
			return err
		}
		v, err := a.Active(tx)
		if err != nil {
			return err
		}
		pool, err := records.PoolOf(tx, a)
		if err != nil {
			return err
		}
		at, err := a.Moment(tx, v, 0)
		if err != nil {
			return err
		}
		if pool, err = oneTime(pool.CurrentBack(at.Time), at.Time, u.OneTimeKeys...); err != nil {
			return err
		}
		if u.Fallback != 0 {
			if pool, err = fallback(pool, at.Time, u.Fallback); err != nil {
				return err
			}
		}
		return records.Pool.Put(tx, pool.Ordered(at.Order))
	})
}
