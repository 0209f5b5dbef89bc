package machine

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/txn"
)

// doUnmoved runs a transaction that must not happen in a store whose accounts were moved
// to another: whoever moves a store moves all that is in it, and would not know of what
// comes or goes later. It fails with account.ErrRetired.
func (s *Store) doUnmoved(ctx context.Context, a *Account, fn func(*txn.Tx) error) error {
	for {
		another, err := s.unmoved(ctx)
		if err != nil {
			return err
		}
		err = a.Do(ctx, func(tx *txn.Tx) error {
			if err := checkUnmoved(tx, another); err != nil {
				return err
			}
			return fn(tx)
		})
		if !errors.Is(err, errAnotherGone) {
			return err
		}
	}
}

// errAnotherGone: the account that was to tell whether the store was moved is gone.
var errAnotherGone = errors.New("pawl: the account was deleted meanwhile")

// unmoved returns the name of an account that was not moved to another store, if
// there is one, and fails with account.ErrRetired if one was.
func (s *Store) unmoved(ctx context.Context) (AccountName, error) {
	return txn.View(ctx, s.DB, func(tx *txn.Tx) (found AccountName, moved error) {
		_, err := EachAccount(tx, func(a account.Account) {
			if to, retired := a.Retired(); retired {
				moved = fmt.Errorf("%w: %s", account.ErrRetired, to.Path)
			}
			found = AccountName{a.User(), a.Device()}
		})
		return found, errors.Join(moved, err)
	})
}

// checkUnmoved fails with account.ErrRetired if the account was moved meanwhile,
// as all of a store's are, in one commit, and with errAnotherGone if it was deleted.
func checkUnmoved(tx *txn.Tx, another AccountName) error {
	if another == (AccountName{}) {
		return nil
	}
	a, ok, err := Accounts.Get(tx, another)
	if IsDamage(err) {
		return nil
	}
	if err == nil && (!ok || a.Deleted()) {
		return errAnotherGone
	}
	if to, retired := a.Retired(); err == nil && retired {
		err = fmt.Errorf("%w: %s", account.ErrRetired, to.Path)
	}
	return err
}
