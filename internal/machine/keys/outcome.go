package keys

import (
	"context"

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
	return editPool(ctx, a, func(pool otk.Pool) (otk.Pool, error) {
		pool, err := pool.Publish(u.OneTimeKeys...)
		if err != nil || u.Fallback == 0 {
			return pool, err
		}
		return pool.PublishFallback(u.Fallback, a.Store.Now())
	})
}

// Abandon records that nobody knows whether an upload reached the server.
func Abandon(ctx context.Context, a *machine.Account, u Upload) error {
	return editPool(ctx, a, func(pool otk.Pool) (otk.Pool, error) {
		return pool.Abandon(u.OneTimeKeys...)
	})
}

func editPool(ctx context.Context, a *machine.Account, edit func(otk.Pool) (otk.Pool, error)) error {
	return a.Do(ctx, func(tx *txn.Tx) error {
		if err := tx.Prefetch(a.Ref(), records.Pool.Ref()); err != nil {
			return err
		}
		if _, err := a.Active(tx); err != nil {
			return err
		}
		pool, err := records.ReadPool(tx)
		if err != nil {
			return err
		}
		pool, err = edit(pool)
		if err != nil {
			return err
		}
		return records.Pool.Put(tx, pool)
	})
}
