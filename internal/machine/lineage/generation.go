package lineage

import (
	"context"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// CheckGeneration finds that the generation of the store is damaged.
func CheckGeneration(ctx context.Context, s *machine.Store) ([]records.Finding, error) {
	return txn.View(ctx, s.DB, func(tx *txn.Tx) ([]records.Finding, error) {
		_, _, err := generations.Get(tx)
		if !machine.IsDamage(err) {
			return nil, err
		}
		says := fmt.Sprintf("%s record: %v", generations.Kind, err)
		version, err := generations.Version(tx)
		return []records.Finding{{Kind: generations.Kind, Broken: says, Fix: renewGeneration(version, says)}}, err
	})
}

// renewGeneration begins a generation that the witness of this handle has, if
// there is one. Nobody knows any more which one the store had, so it may be a
// copy: all accounts must be recovered.
func renewGeneration(version kv.Version, why string) *records.Fix {
	says := "set it aside and begin another generation: all accounts must be recovered before they send"
	return &records.Fix{Says: says, Do: func(ctx context.Context, a *machine.Account) error {
		if err := requireRecovery(ctx, a.Store, account.Unwitnessed); err != nil {
			return err
		}
		return a.Do(ctx, func(tx *txn.Tx) error {
			key, err := generations.Key(tx)
			if err != nil {
				return err
			}
			done, err := machine.SetAside(tx, a, key, version, machine.Aside{Why: why})
			if err != nil || !done {
				return err
			}
			return generations.Put(tx, max(a.Store.Generation, 1))
		})
	}}
}
