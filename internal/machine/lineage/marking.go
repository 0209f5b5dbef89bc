package lineage

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/txn"
)

// accountShare is what changing an account takes of a commit: its record has
// two names and a path at most, and five keys.
var accountShare = machine.Share{Bytes: 8 << 10, Writes: 1, Checks: 1}

// requireRecovery keeps every account from sending until it is recovered. A
// retired one sends nothing, nor does one whose record cannot be read.
func requireRecovery(ctx context.Context, s *machine.Store, cause account.Cause) error {
	all, damaged, err := s.Identities(ctx)
	if err != nil {
		return err
	}
	chunks := slices.Collect(slices.Chunk(all, s.PerCommit(accountShare)))
	if damaged.Len() > 0 || len(chunks) > 1 {
		// Whoever dies, and whoever opens the store then, all are marked.
		if err := note(ctx, s, func(tx *txn.Tx) error { return setMarking(tx, cause) }); err != nil {
			return err
		}
	}
	if damaged.Len() > 0 {
		s.Log.LogAttrs(ctx, slog.LevelWarn, "some accounts cannot be read, and could not be marked", slog.Any("error", damaged.Err()))
		if err := noteUnmarked(ctx, s, damaged, cause); err != nil {
			return err
		}
	}
	for _, chunk := range chunks {
		if err := note(ctx, s, func(tx *txn.Tx) error { return requireAll(tx, s, chunk, cause) }); err != nil {
			return err
		}
	}
	return note(ctx, s, func(tx *txn.Tx) error { return setMarking(tx, 0) })
}

// note runs a transaction on what all accounts share.
func note(ctx context.Context, s *machine.Store, fn func(*txn.Tx) error) error {
	_, err := txn.Do(ctx, s.DB, func(tx *txn.Tx) (struct{}, error) { return struct{}{}, fn(tx) })
	return err
}

func requireAll(tx *txn.Tx, s *machine.Store, ids []machine.Identity, cause account.Cause) error {
	for _, id := range ids {
		a, ok, err := machine.Accounts.Get(tx, machine.AccountName{User: id.UserID, Device: id.DeviceID})
		var record *txn.RecordError
		if machine.IsDamage(err) && errors.As(err, &record) { // damaged since
			if err := s.NoteUnmarked(tx, record.Key, cause); err != nil {
				return err
			}
			continue
		}
		if err != nil {
			return err
		}
		_, retired := a.Retired()
		_, needed := a.NeedsRecovery()
		if !ok || retired || needed {
			continue
		}
		if err := machine.Accounts.Put(tx, a.RequireRecovery(cause, s.Now())); err != nil {
			return err
		}
	}
	return nil
}
