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
		_, _, err := getGeneration(tx)
		if !machine.IsDamage(err) {
			return nil, err
		}
		says := fmt.Sprintf("%s record: %v", generations.Kind, err)
		generation, err := generations.Version(tx)
		if err != nil {
			return nil, err
		}
		watch, err := watches.Version(tx)
		fix := renewGeneration(generation, watch, says)
		return []records.Finding{{Kind: generations.Kind, Broken: says, Fix: fix}}, err
	})
}

// renewGeneration begins a generation that the witness of this handle has, if
// there is one. Nobody knows any more which one the store had, so it may be a
// copy: all accounts must be recovered.
func renewGeneration(generation, watch kv.Version, why string) *records.Fix {
	says := "set it aside and begin another generation: all accounts must be recovered before they send"
	return &records.Fix{Says: says, Do: func(ctx context.Context, a *machine.Account) error {
		if err := requireRecovery(ctx, a.Store, account.Unwitnessed); err != nil {
			return err
		}
		return a.Do(ctx, func(tx *txn.Tx) error {
			if _, _, err := getGeneration(tx); !machine.IsDamage(err) {
				return err
			}
			w, err := renewed(tx, a, &watches, watch, why)
			if err == nil && w.By == 0 {
				err = watches.Put(tx, witnessed{By: byEngine})
			}
			if err != nil {
				return err
			}
			known, err := renewed(tx, a, &generations, generation, why)
			if err != nil || known != 0 {
				return err
			}
			return generations.Put(tx, max(a.Store.Generation, 1))
		})
	}}
}

// renewed returns what can be read of a record, and sets it aside if nothing can.
func renewed[T any](tx *txn.Tx, a *machine.Account, r *txn.Single[T], version kv.Version, why string) (v T, err error) {
	v, _, err = r.Get(tx)
	if !machine.IsDamage(err) {
		return v, err
	}
	key, err := r.Key(tx)
	if err != nil {
		return v, err
	}
	_, err = machine.SetAside(tx, a, key, version, machine.Aside{Why: why})
	return v, err
}
