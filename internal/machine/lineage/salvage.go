package lineage

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// ErrNoKeyring: see package pawl.
var ErrNoKeyring = fmt.Errorf("%w: nothing of it can be opened: its keyring is lost", kv.ErrCorrupt)

// Salvage fills an empty engine with what was read of a damaged store. All
// accounts that can be read are marked: the newest that was done with them may be
// lost. The keyring comes last, so that what is not finished is no store.
func Salvage(ctx context.Context, entries []kv.Entry, to kv.Store, unlock seal.Unlock, t machine.Tools) error {
	if err := checkEmpty(ctx, to); err != nil {
		return err
	}
	s, err := openSalvaged(entries, to, unlock, t)
	if err != nil {
		return err
	}
	var head kv.Version
	w := filling{ctx: ctx, to: to}
	var keyring kv.Entry
	for _, e := range entries {
		head = max(head, e.Version)
		if e.Key == machine.KeyringKey {
			keyring = e
			continue
		}
		if err := w.put(e); err != nil {
			return err
		}
	}
	if err := w.flush(); err != nil {
		return err
	}
	if err := requireRecovery(ctx, s, account.Behind); err != nil {
		return err
	}
	if err := laterBase(ctx, s, head); err != nil {
		return err
	}
	if err := anyGeneration(ctx, s); err != nil {
		return err
	}
	if err := w.put(keyring); err != nil {
		return err
	}
	return w.flush()
}

func checkEmpty(ctx context.Context, engine kv.Store) error {
	empty, err := machine.View(engine, func(snap kv.Snapshot) (bool, error) {
		for _, err := range snap.Scan(ctx, "") {
			return false, err
		}
		return true, nil
	})
	if err == nil && !empty {
		err = fmt.Errorf("%w: there is something in the store already", kv.ErrInvalid)
	}
	return err
}

// openSalvaged opens the keyring among the entries.
func openSalvaged(entries []kv.Entry, to kv.Store, unlock seal.Unlock, t machine.Tools) (*machine.Store, error) {
	for _, e := range entries {
		if e.Key != machine.KeyringKey {
			continue
		}
		s, err := machine.OpenSealed(e.Value, to, unlock, t)
		if errors.Is(err, seal.ErrFormat) {
			return nil, fmt.Errorf("%w: %w", ErrNoKeyring, err)
		}
		return s, err
	}
	return nil, ErrNoKeyring
}

// laterBase lets the order of each account go on after all that there was: the
// versions of the new store begin anew.
func laterBase(ctx context.Context, s *machine.Store, head kv.Version) error {
	ids, _, err := s.Identities(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		name := machine.AccountName{User: id.UserID, Device: id.DeviceID}
		_, err := txn.Do(ctx, s.DB, func(tx *txn.Tx) (struct{}, error) {
			a, ok, err := machine.Accounts.Get(tx, name)
			if err != nil || !ok || !a.Raised() {
				return struct{}{}, err
			}
			l := a.Lineage()
			l.Base = min(l.Base+uint64(head), account.MaxBase)
			return struct{}{}, machine.Accounts.Put(tx, a.Raise(l))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// anyGeneration makes the store one that ever had a witness, whose generation none
// has seen: who opens it with one requires the recovery again.
func anyGeneration(ctx context.Context, s *machine.Store) error {
	_, err := txn.Do(ctx, s.DB, func(tx *txn.Tx) (struct{}, error) {
		generation, _, err := generations.Get(tx)
		if machine.IsDamage(err) {
			return struct{}{}, nil // repair begins another
		}
		if err != nil {
			return struct{}{}, err
		}
		return struct{}{}, generations.Put(tx, generation+1)
	})
	return err
}

// filling writes entries in commits of any engine's size.
type filling struct {
	ctx   context.Context
	to    kv.Store
	batch kv.Batch
	bytes int
	last  kv.Version
}

func (f *filling) put(e kv.Entry) error {
	limits := f.to.Limits()
	size := len(e.Key) + len(e.Value)
	if len(f.batch.Writes) == min(limits.Writes, machine.MostPerCommit) || f.bytes+size > limits.Bytes/2 {
		if err := f.flush(); err != nil {
			return err
		}
	}
	f.batch.Writes = append(f.batch.Writes, kv.Write{Key: e.Key, Value: e.Value})
	f.bytes += size
	return nil
}

func (f *filling) flush() error {
	if len(f.batch.Writes) == 0 {
		return nil
	}
	f.batch.ID, f.batch.Sync = kv.NewCommitID(f.last), true
	version, err := f.to.Commit(f.ctx, &f.batch)
	f.last = max(f.last, version)
	f.batch, f.bytes = kv.Batch{}, 0
	return err
}
