package lineage

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/copykv"
	"github.com/pawlkv/pawl/txn"
)

// checkCopy makes sure that what is about to become a store may: that it is what
// the accounts of the source were retired for. An earlier copy would repeat what
// the source did since, and two copies what each does.
func checkCopy(ctx context.Context, from *machine.Store, to kv.Store) error {
	source, err := accountsOf(ctx, from.DB)
	if err != nil {
		return err
	}
	target, err := accountsOf(ctx, from.Sealed(to))
	if err != nil {
		return err
	}
	if err := checkRetired(source, target); err != nil {
		return err
	}
	snap := from.DB.Store().Snapshot()
	defer snap.Close()
	return copykv.Verify(ctx, snap, others{to}, isOther, func() {})
}

// accountsOf returns all accounts of a store or copy.
func accountsOf(ctx context.Context, db *txn.DB) (map[machine.AccountName]account.Account, error) {
	return txn.View(ctx, db, func(tx *txn.Tx) (map[machine.AccountName]account.Account, error) {
		all := make(map[machine.AccountName]account.Account)
		damaged, err := machine.EachAccount(tx, func(a account.Account) {
			all[machine.AccountName{User: a.User(), Device: a.Device()}] = a
		})
		if err == nil {
			err = damaged.Err()
		}
		return all, err
	})
}

// checkRetired fails unless the accounts of the source are retired, and those of
// the copy are what they were then.
func checkRetired(source, target map[machine.AccountName]account.Account) error {
	for name, was := range source {
		if _, retired := was.Retired(); !retired {
			return fmt.Errorf("%w: %s", ErrNotRetired, name)
		}
		is, ok := target[name]
		if !ok {
			return fmt.Errorf("%w: it does not have %s", copykv.ErrDiffers, name)
		}
		_, before := was.NeedsRecovery()
		_, after := is.NeedsRecovery()
		if before != after || machine.IdentityOf(is) != machine.IdentityOf(was) {
			return fmt.Errorf("%w: %s is not as it was when it was retired", copykv.ErrDiffers, name)
		}
	}
	for name := range target {
		if _, ok := source[name]; !ok {
			return fmt.Errorf("%w: it has %s", copykv.ErrDiffers, name)
		}
	}
	return nil
}

// isOther tells the entries that a copy has from its source and that are not
// written again when the source is retired or the copy completed.
func isOther(key string) bool {
	return copied(key) && !strings.HasPrefix(key, machine.AccountsPrefix)
}

// others is a store of which nothing else is seen.
type others struct{ kv.Store }

// Snapshot implements kv.Store.
func (o others) Snapshot() kv.Snapshot { return otherEntries{o.Store.Snapshot()} }

type otherEntries struct{ kv.Snapshot }

// Scan implements kv.Snapshot.
func (o otherEntries) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		for e, err := range o.Snapshot.Scan(ctx, prefix) {
			if (err != nil || isOther(e.Key)) && !yield(e, err) {
				return
			}
		}
	}
}
