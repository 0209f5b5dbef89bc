package machine

import (
	"context"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// Delete deletes an account with all its records. The first commit says so in the account's
// own record, which every call reads that changes or releases something: from then on
// nobody finds the account, whoever has it open, and nothing is added to its records. They
// go in as many commits as the engine needs, and that record with the last. Whoever is
// interrupted, or meets somebody else who deletes it, goes on from there.
//
// It fails with ErrNoAccount, account.ErrRetired (it was moved to another store) or, if
// the account's record is damaged, kv.ErrCorrupt.
func (s *Store) Delete(ctx context.Context, name AccountName) error {
	a := s.Account(name)
	err := s.doUnmoved(ctx, a, func(tx *txn.Tx) error {
		v, ok, err := Accounts.Get(tx, name)
		if err != nil || ok && v.Deleted() {
			return err
		}
		if v, err = a.Active(tx); err != nil {
			return err
		}
		return Accounts.Put(tx, v.Delete(s.Now()))
	})
	if err != nil {
		return err
	}
	return s.finishDeleting(ctx, name)
}

// keyShare is what deleting what stands under one key takes of a commit.
var keyShare = Share{Bytes: 512, Writes: 1, Checks: 1}

// finishDeleting deletes what is left of an account that is being deleted. It does
// nothing to another one.
func (s *Store) finishDeleting(ctx context.Context, name AccountName) error {
	a := s.Account(name)
	scope, _ := a.DB.Scope()
	for done := false; !done; {
		deleting, err := txn.View(ctx, a.DB, func(tx *txn.Tx) (bool, error) {
			v, _, err := Accounts.Get(tx, name)
			return v.Deleted(), err
		})
		if err != nil || !deleting {
			return err
		}
		some, err := firstKeys(ctx, s.DB.Store(), scope+"/", s.PerCommit(keyShare))
		if err != nil {
			return err
		}
		err = s.doUnmoved(ctx, a, func(tx *txn.Tx) error {
			done, err = deleteKeys(tx, name, scope, some)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// deleteKeys deletes what stands under keys of an account that is being deleted, and the
// account's own record once there is nothing else. It returns true if the account is gone
// then.
func deleteKeys(tx *txn.Tx, name AccountName, scope string, keys []string) (done bool, err error) {
	v, ok, err := Accounts.Get(tx, name)
	if err != nil || !ok || !v.Deleted() {
		return true, err // somebody else has deleted it, and it may be there again
	}
	for _, key := range keys {
		if err := tx.Drop(key); err != nil {
			return false, err
		}
	}
	if len(keys) > 0 {
		return false, nil
	}
	if _, any, err := tx.AnyEntry(scope + "/"); any || err != nil {
		return false, err
	}
	own, err := Accounts.Key(tx, name)
	if err != nil {
		return false, err
	}
	if err := UnmarkedAccounts.Delete(tx, own); err != nil {
		return false, err
	}
	return true, Accounts.Delete(tx, name)
}

// firstKeys returns the first keys with a prefix, at most n.
func firstKeys(ctx context.Context, engine kv.Store, prefix string, n int) ([]string, error) {
	return View(engine, func(snap kv.Snapshot) (keys []string, err error) {
		for e, err := range snap.Scan(ctx, prefix) {
			if err != nil {
				return nil, err
			}
			if keys = append(keys, e.Key); len(keys) == n {
				break
			}
		}
		return keys, nil
	})
}
