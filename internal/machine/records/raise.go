package records

import (
	"context"
	"errors"
	"log/slog"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// Raise makes an account one of format 2 if its store is. Its record and its
// pool are written in one commit, which conflicts with every call that is under
// way; other records keep their versions until they are written. An account that
// cannot be raised is as good as before, and the log says why.
func Raise(ctx context.Context, a *machine.Account) {
	if a.Store.Format(ctx) < kv.Format2 {
		return
	}
	err := a.Do(ctx, func(tx *txn.Tx) error { return raise(tx, a) })
	if err != nil && !errors.Is(err, kv.ErrClosed) && ctx.Err() == nil {
		a.Store.Log.LogAttrs(ctx, slog.LevelWarn, "an account could not be raised to format 2", slog.Any("error", err))
	}
}

// OnRaised makes a call that only accounts of format 2 have. Where the account is
// of format 1 it is raised, and the call made again; if that cannot be, the error
// is machine.ErrFormat1.
func OnRaised(ctx context.Context, a *machine.Account, call func() error) error {
	err := call()
	if errors.Is(err, machine.ErrFormat1) {
		Raise(ctx, a)
		err = call()
	}
	return err
}

func raise(tx *txn.Tx, a *machine.Account) error {
	if err := tx.Prefetch(a.Ref(), Pool.Ref()); err != nil {
		return err
	}
	v, err := a.Read(tx)
	if err != nil || v.Raised() {
		return err
	}
	if _, retired := v.Retired(); retired {
		return nil // it only inspects
	}
	pool, stored, err := Pool.Get(tx)
	if err != nil { // a damaged pool does not tell which keys are from before a recovery
		return err
	}
	past := account.Lineage{OldReceipts: true}
	if stored {
		at, err := a.Moment(tx, v, 0)
		if err != nil {
			return err
		}
		past.KeysFrom = pool.FirstAfter(idJump - 1)
		if err := Pool.Put(tx, pool.Raise(at.Time).Ordered(at.Order)); err != nil {
			return err
		}
	}
	return machine.Accounts.Put(tx, v.Raise(past))
}
