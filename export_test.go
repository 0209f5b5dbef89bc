package pawl

import (
	"context"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/txn"
)

// RaiseAccount brings an account to format 2.
func RaiseAccount(ctx context.Context, m *Machine) error {
	a := m.account
	return a.Do(ctx, func(tx *txn.Tx) error {
		v, err := a.Active(tx)
		if err != nil || v.Raised() {
			return err
		}
		if err := machine.Accounts.Put(tx, v.Raise(account.Lineage{OldReceipts: true})); err != nil {
			return err
		}
		pool, err := records.PoolOf(tx, a)
		if err != nil {
			return err
		}
		return records.Pool.Put(tx, pool)
	})
}
