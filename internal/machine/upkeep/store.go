package upkeep

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/lineage"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// Common is what the accounts of a store have in common, as an account without a
// name: repair of shared records works on it.
func Common(s *machine.Store) *machine.Account { return &machine.Account{Store: s, DB: s.DB} }

// CheckStore verifies what belongs to no single account: the records of the
// accounts themselves, that all other records are those of an account, the
// store's generation and its keyring.
func CheckStore(ctx context.Context, s *machine.Store) (found []records.Finding, err error) {
	found, err = txn.View(ctx, s.DB, func(tx *txn.Tx) ([]records.Finding, error) {
		c := storeCheck{tx: tx, store: s, scopes: map[string]bool{}}
		if err := c.accounts(); err != nil {
			return nil, err
		}
		if err := c.strays(); err != nil {
			return nil, err
		}
		return c.found, nil
	})
	if err != nil {
		return nil, err
	}
	generation, err := lineage.CheckGeneration(ctx, s)
	if err != nil {
		return nil, err
	}
	found = append(found, generation...)
	unmarked, err := lineage.CheckUnmarked(ctx, s)
	if err != nil {
		return nil, err
	}
	found = append(found, unmarked...)
	switch err := s.Keyring.Check(ctx); {
	case err == nil:
	case !errors.Is(err, kv.ErrCorrupt) && !errors.Is(err, seal.ErrFormat):
		return nil, err
	default:
		found = append(found, records.Finding{Kind: "keyring", Broken: err.Error()})
	}
	return found, nil
}

type storeCheck struct {
	tx     *txn.Tx
	store  *machine.Store
	scopes map[string]bool // first segments of the keys of accounts that are known
	found  []records.Finding
}

// accounts checks the accounts' own records. One that is damaged is set aside,
// and never replaced: an identity that was lost has no successor of its name.
func (c *storeCheck) accounts() error {
	for e, err := range machine.Accounts.Stored(c.tx) {
		if err != nil {
			return err
		}
		bad, err := c.account(e)
		if err != nil {
			return err
		}
		if bad != "" {
			c.found = append(c.found, records.Finding{
				Kind: machine.Accounts.Kind, Broken: bad,
				Fix: setAsideShared("set it aside: the account is lost", e.Key, e.Version, bad),
			})
		}
	}
	return nil
}

// account returns what is wrong with an account's record, and notes whose records
// there may be.
func (c *storeCheck) account(e txn.Stored[account.Account]) (bad string, err error) {
	switch {
	case machine.IsSetAside(e.Err):
		return "", nil
	case machine.IsDamage(e.Err):
		return fmt.Sprintf("account record: %v", e.Err), nil
	case e.Err != nil:
		return "", e.Err
	}
	name := machine.AccountName{User: e.Value.User(), Device: e.Value.Device()}
	own, err := machine.Accounts.Key(c.tx, name)
	if err != nil {
		return "", err
	}
	if own != e.Key {
		return fmt.Sprintf("account record of %s is stored under another name, %q", name, e.Key), nil
	}
	scope, _ := c.store.Account(name).DB.Scope()
	c.scopes[scope] = true
	if e.Value.Deleted() {
		c.found = append(c.found, records.Finding{
			Kind: machine.Accounts.Kind, Broken: fmt.Sprintf("account record of %s: it is being deleted, or that was interrupted", name), Fix: deleteRest(name),
		})
	}
	if err := e.Value.Check(); err != nil {
		return fmt.Sprintf("account record of %s: %v", name, err), nil
	}
	return "", nil
}

// strays finds records of accounts that have none of their own, and shared ones
// that cannot be read.
func (c *storeCheck) strays() error {
	counts := map[string]int{}
	_, shared := c.store.DB.Scope()
	for e, err := range c.tx.Entries("") {
		if err != nil {
			return err
		}
		if scope, _ := txn.KindOf(e.Key); scope != shared && !c.scopes[scope] {
			counts[scope]++
		}
	}
	noted := map[string]bool{}
	for e, err := range machine.SharedAsides.Stored(c.tx) {
		switch {
		case err != nil:
			return err
		case machine.IsDamage(e.Err):
			says := fmt.Sprintf("aside record: %v", e.Err)
			c.found = append(c.found, records.Finding{Kind: machine.SharedAsides.Kind, Broken: says, Fix: dropShared(e.Key, e.Version)})
		case e.Err != nil:
			return e.Err
		default:
			noted[e.Value.Of] = true
		}
	}
	for _, scope := range slices.Sorted(maps.Keys(counts)) {
		if note := machine.RecordsOf(scope); !noted[note] {
			says := fmt.Sprintf("there are %d records of an account (%s) whose own record is missing or cannot be read", counts[scope], scope)
			c.found = append(c.found, records.Finding{Kind: machine.Accounts.Kind, Broken: says, Fix: noteShared(note, says)})
		}
	}
	return nil
}

func deleteRest(name machine.AccountName) *records.Fix {
	return &records.Fix{Says: "delete the rest", Do: func(ctx context.Context, a *machine.Account) error {
		err := a.Store.Delete(ctx, name)
		if errors.Is(err, machine.ErrNoAccount) {
			return nil // somebody else was first
		}
		return err
	}}
}

func setAsideShared(says, key string, version kv.Version, why string) *records.Fix {
	return &records.Fix{Says: says, Do: func(ctx context.Context, a *machine.Account) error {
		return a.Do(ctx, func(tx *txn.Tx) error {
			_, err := machine.SetAside(tx, a, key, version, machine.Aside{Why: why})
			return err
		})
	}}
}

func dropShared(key string, version kv.Version) *records.Fix {
	return &records.Fix{Says: "remove it", Do: func(ctx context.Context, a *machine.Account) error {
		return a.Do(ctx, func(tx *txn.Tx) error {
			e, err := tx.Entry(key)
			if err != nil || e.Version != version {
				return err
			}
			return tx.Drop(key)
		})
	}}
}

func noteShared(of, why string) *records.Fix {
	says := "note that the account is lost; its records stay where they are, and nobody makes an account of its name"
	return &records.Fix{Says: says, Do: func(ctx context.Context, a *machine.Account) error {
		return a.Do(ctx, func(tx *txn.Tx) error { return machine.Note(tx, a, of, machine.Accounts.Kind, why) })
	}}
}
