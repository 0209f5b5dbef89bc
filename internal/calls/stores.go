package calls

import (
	"context"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/txn"
)

// Calls on a store.
func init() {
	storeCall("machine", "Store.Machine", "", func(g given, o *opened, p accountParams) (machineResult, error) {
		m, err := o.store.Machine(g.ctx, p.User, p.Device)
		return g.library.hold(o, m, err)
	})
	storeCall("create", "Store.Create", "", func(g given, o *opened, p accountParams) (machineResult, error) {
		m, err := o.store.Create(g.ctx, p.User, p.Device)
		return g.library.hold(o, m, err)
	})
	storeCall("open_or_create", "Store.OpenOrCreate", "", func(g given, o *opened, p accountParams) (machineResult, error) {
		m, err := o.store.OpenOrCreate(g.ctx, p.User, p.Device)
		return g.library.hold(o, m, err)
	})
	storeCall("delete", "Store.Delete", "", func(g given, o *opened, p accountParams) (nothing, error) {
		return nothing{}, o.store.Delete(g.ctx, p.User, p.Device)
	})
	storeCall("accounts", "Store.Accounts", "", func(g given, o *opened, _ nothing) (accountsResult, error) {
		all, err := o.store.Accounts(g.ctx)
		return accountsResult{all}, err
	})
	storeCall("retirements", "Store.Retirements", "", func(g given, o *opened, _ nothing) (retirementsResult, error) {
		moved, active, err := o.store.Retirements(g.ctx)
		return retirementsResult{moved, active}, err
	})
	storeCall("stats", "Store.Stats", "", func(_ given, o *opened, _ nothing) (txn.Stats, error) {
		return o.store.Stats(), nil
	})
	storeCall("change_key", "Store.ChangeKey", "the new key, 32 bytes", func(g given, o *opened, _ nothing) (nothing, error) {
		key, err := keyOf(g.body)
		if err != nil {
			return nothing{}, err
		}
		return nothing{}, o.store.ChangeKey(g.ctx, key)
	})
	storeCall("change_passphrase", "Store.ChangePassphrase", "the new passphrase", func(g given, o *opened, _ nothing) (nothing, error) {
		return nothing{}, o.store.ChangePassphrase(g.ctx, g.body)
	})
	storeCall("erase", "Store.Erase", "", func(g given, o *opened, _ nothing) (nothing, error) {
		return nothing{}, o.store.Erase(g.ctx)
	})
	storeCall("check_store", "Store.Check", "", func(g given, o *opened, _ nothing) (findingsResult, error) {
		found, err := o.store.Check(g.ctx)
		return findingsResult{found}, err
	})
	storeCall("repair", "Store.Repair", "", func(g given, o *opened, _ nothing) (findingsResult, error) {
		found, err := o.store.Repair(g.ctx)
		return findingsResult{found}, err
	})
	storeCall("yield", "", "", func(g given, o *opened, _ nothing) (nothing, error) {
		if e, ok := o.engine.(interface{ Yield(context.Context) error }); ok {
			return nothing{}, e.Yield(g.ctx)
		}
		return nothing{}, nil // nothing to give up
	})
}

type (
	accountsResult    struct{ Accounts []pawl.Identity }
	findingsResult    struct{ Findings []pawl.Finding }
	retirementsResult struct {
		Moved  []account.Retirement
		Active int
	}
)
