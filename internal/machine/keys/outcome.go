package keys

import (
	"context"
	"slices"

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
		under, err := underWay(tx, pool)
		if err != nil {
			return Upload{}, err
		}
		var u Upload
		for e := range pool.Entries() {
			if e.Stage == otk.Offered && !slices.Contains(under, e.ID) {
				u.OneTimeKeys = append(u.OneTimeKeys, e.ID)
			}
		}
		current, _ := pool.Fallbacks()
		u.Fallback = current.ID
		return u, nil
	})
}

// underWay returns the keys in the upload that is a request: what became of it is
// told of that.
func underWay(tx *txn.Tx, pool otk.Pool) ([]otk.ID, error) {
	u, err := records.ReadUploads(tx, pool)
	if machine.IsDamage(err) {
		return nil, nil
	}
	return u.Under.OneTimeKeys, err
}

// MarkPublished records that the server took an upload.
func MarkPublished(ctx context.Context, a *machine.Account, u Upload) error {
	return editPool(ctx, a, func(s *standing) (err error) {
		if s.pool, err = s.pool.Publish(s.now, u.OneTimeKeys...); err != nil || u.Fallback == 0 {
			return err
		}
		return s.publishFallback(u.Fallback)
	}, func(s *standing) { s.uploads = s.uploads.EndOther(true) })
}

// Abandon records that nobody knows whether an upload reached the server.
func Abandon(ctx context.Context, a *machine.Account, u Upload) error {
	return editPool(ctx, a, func(s *standing) (err error) {
		if s.pool, err = s.pool.Abandon(s.now, u.OneTimeKeys...); err != nil || u.Fallback == 0 {
			return err
		}
		s.pool, err = s.pool.AbandonFallback(s.now, u.Fallback)
		return err
	}, func(s *standing) { s.uploads = s.uploads.EndOther(false).Doubt(u.Fallback, s.now) })
}

// editPool records an outcome of the keys in an upload, and, where there is a place
// for it, that it has ended.
func editPool(ctx context.Context, a *machine.Account, pool func(*standing) error, uploads func(*standing)) error {
	return a.Do(ctx, func(tx *txn.Tx) error {
		s, err := read(tx, a, a.Active)
		noted := err == nil && s.v.Raised()
		if machine.IsDamage(err) && s.known {
			a.Store.Tell(tx, []error{err})
			err = nil
		}
		if err != nil {
			return err
		}
		at, err := a.Moment(tx, s.v, 0)
		if err != nil {
			return err
		}
		if err := pool(&s); err != nil {
			return err
		}
		if err := records.Pool.Put(tx, s.pool.Ordered(at.Order)); err != nil || !noted {
			return err
		}
		uploads(&s)
		return records.UploadStates.Put(tx, s.uploads)
	})
}
