package lineage

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/txn"
)

// noteUnmarked notes the accounts that could not be read to be marked.
func noteUnmarked(ctx context.Context, s *machine.Store, damaged machine.Damages, cause account.Cause) error {
	for _, err := range damaged.All() {
		var record *txn.RecordError
		if !errors.As(err, &record) {
			continue
		}
		_, err := txn.Do(ctx, s.DB, func(tx *txn.Tx) (struct{}, error) {
			return struct{}{}, s.NoteUnmarked(tx, record.Key, cause)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// markReadable marks the accounts that could not be marked before and can be read
// now. Where others are left each call looks for its own.
func markReadable(ctx context.Context, s *machine.Store) error {
	names, err := txn.View(ctx, s.DB, func(tx *txn.Tx) (names []machine.AccountName, err error) {
		unmarked := map[string]bool{}
		for e, err := range machine.UnmarkedAccounts.Stored(tx) {
			if err != nil {
				return nil, err
			}
			s.ExpectUnmarked()
			if e.Err == nil {
				unmarked[e.Value.Key] = true
			} else if !machine.IsDamage(e.Err) {
				return nil, e.Err
			}
		}
		if len(unmarked) == 0 {
			return nil, nil
		}
		for e, err := range machine.Accounts.Stored(tx) {
			if err != nil {
				return nil, err
			}
			if e.Err == nil && unmarked[e.Key] {
				names = append(names, machine.AccountName{User: e.Value.User(), Device: e.Value.Device()})
			}
		}
		return names, nil
	})
	for _, name := range names {
		a := s.Account(name)
		if err := a.Do(ctx, a.KeepMark); err != nil {
			return err
		}
	}
	return err
}

// CheckUnmarked finds that nobody knows any more which account could not be
// marked.
func CheckUnmarked(ctx context.Context, s *machine.Store) ([]records.Finding, error) {
	return txn.View(ctx, s.DB, func(tx *txn.Tx) (found []records.Finding, err error) {
		for e, err := range machine.UnmarkedAccounts.Stored(tx) {
			switch {
			case err != nil:
				return nil, err
			case machine.IsDamage(e.Err):
				says := fmt.Sprintf("%s record: %v", machine.UnmarkedAccounts.Kind, e.Err)
				found = append(found, records.Finding{Kind: machine.UnmarkedAccounts.Kind, Broken: says, Fix: markAll(e)})
			case e.Err != nil && !machine.IsSetAside(e.Err):
				return nil, e.Err
			}
		}
		return found, nil
	})
}

// markAll marks all accounts that can be read in the place of the one that is not
// known any more. Of those that cannot be read it notes each.
func markAll(e txn.Stored[machine.Unmarked]) *records.Fix {
	says := "remove it: all accounts must be recovered before they send"
	return &records.Fix{Says: says, Do: func(ctx context.Context, a *machine.Account) error {
		if err := requireRecovery(ctx, a.Store, account.Unwitnessed); err != nil {
			return err
		}
		return a.Do(ctx, func(tx *txn.Tx) error {
			now, err := tx.Entry(e.Key)
			if err != nil || now.Version != e.Version {
				return err
			}
			return tx.Drop(e.Key)
		})
	}}
}
