package lineage

import (
	"context"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/txn"
)

// NeedsRecovery returns why an account must be recovered before it sends
// again, and whether it must.
func NeedsRecovery(ctx context.Context, a *machine.Account) (account.Recovery, bool, error) {
	v, err := txn.View(ctx, a.DB, a.Read)
	why, needed := v.NeedsRecovery()
	return why, needed, err
}

// Recover makes an account fit to send after its store went back in time. It
// may be interrupted and called again: meanwhile the account does not send.
func Recover(ctx context.Context, a *machine.Account, kinds []records.Kind) (records.Recovered, error) {
	r := records.Recovery{Account: a}
	if err := begin(ctx, a); err != nil {
		return r.Done, err
	}
	for _, k := range kinds {
		if k.Recover == nil {
			continue
		}
		err := k.Recover(ctx, &r)
		r.Done.Damaged = r.Damaged.Len()
		if err != nil {
			return r.Done, err
		}
	}
	done, err := txn.Do(ctx, a.DB, func(tx *txn.Tx) (records.Recovered, error) {
		return finish(tx, a, kinds, r.Done)
	})
	if err != nil {
		return r.Done, err
	}
	return done, nil
}

// begin keeps the account from sending until the recovery is done.
func begin(ctx context.Context, a *machine.Account) error {
	return a.Do(ctx, func(tx *txn.Tx) error {
		v, err := a.Active(tx)
		if err != nil {
			return err
		}
		if _, needed := v.NeedsRecovery(); needed {
			return a.KeepMark(tx)
		}
		return machine.Accounts.Put(tx, v.RequireRecovery(account.Asked, a.Store.Now()))
	})
}

// finish lets the account send again, in the commit that gives up the last of
// what there was. It does nothing if another process has finished the recovery.
func finish(tx *txn.Tx, a *machine.Account, kinds []records.Kind, done records.Recovered) (records.Recovered, error) {
	v, err := a.Active(tx)
	if _, needed := v.NeedsRecovery(); !needed || err != nil {
		return done, err
	}
	for _, k := range kinds {
		if k.FinishRecovery == nil {
			continue
		}
		if err := k.FinishRecovery(tx, a, &done); err != nil {
			return done, err
		}
	}
	pool, err := records.PoolOf(tx, a)
	if err != nil {
		return done, err
	}
	return done, machine.Accounts.Put(tx, v.Recovered(pool.Next()))
}
