package machine

import (
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/txn"
)

// Unmarked is an account whose record could not be read when all accounts of the
// store had to be recovered. If it can be read again it needs that all the same.
type Unmarked struct {
	Key   string // of its record
	Cause uint8
	At    int64 // milliseconds since 1970
}

// UnmarkedAccounts: accounts that could not be marked, unmarked/<key>, shared.
var UnmarkedAccounts = txn.Record[string, Unmarked]{
	Kind: "unmarked", Codec: txn.Msgpack[Unmarked](1), Shared: true,
	Name: func(u Unmarked) string { return u.Key },
	Path: func(key string) txn.Path { return txn.PathOf(key) },
}

// NoteUnmarked notes that an account could not be marked.
func (s *Store) NoteUnmarked(tx *txn.Tx, key string, cause account.Cause) error {
	s.someUnmarked.Store(true)
	return UnmarkedAccounts.Put(tx, Unmarked{key, uint8(cause), max(s.Now().UnixMilli(), 1)})
}

// ExpectUnmarked says that there may be such accounts: from then on each call
// looks whether its own is one. It costs a read, so it is not done otherwise.
func (s *Store) ExpectUnmarked() { s.someUnmarked.Store(true) }

// mark returns the account as it would be if it could have been marked, and
// whether it could not.
func (a *Account) mark(tx *txn.Tx, v account.Account) (account.Account, bool, error) {
	if !a.Store.someUnmarked.Load() {
		return v, false, nil
	}
	key, err := Accounts.Key(tx, a.Name)
	if err != nil {
		return v, false, err
	}
	u, unmarked, err := UnmarkedAccounts.Get(tx, key)
	switch {
	case IsDamage(err): // it says so, whatever else it says
		return v.RequireRecovery(account.Unwitnessed, a.Store.Now()), true, nil
	case err != nil || !unmarked:
		return v, false, err
	}
	return v.RequireRecovery(account.Cause(u.Cause), time.UnixMilli(u.At)), true, nil
}

// KeepMark stores the mark of an account that could not be marked before.
func (a *Account) KeepMark(tx *txn.Tx) error {
	v, ok, err := Accounts.Get(tx, a.Name)
	if err != nil || !ok {
		return err
	}
	v, unmarked, err := a.mark(tx, v)
	if err != nil || !unmarked {
		return err
	}
	key, err := Accounts.Key(tx, a.Name)
	if err != nil {
		return err
	}
	if err := Accounts.Put(tx, v); err != nil {
		return err
	}
	return UnmarkedAccounts.Delete(tx, key)
}
