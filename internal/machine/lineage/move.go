package lineage

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/copykv"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/txn"
)

// Errors of moving a store; see package pawl.
var (
	ErrMovedOn       = errors.New("pawl: the store has changed since it was copied")
	ErrNothingToMove = errors.New("pawl: the store has no account to move")
	ErrNotEmpty      = errors.New("pawl: what is to become a copy is a store already")
	ErrDiffers       = copykv.ErrDiffers
	ErrNotRetired    = errors.New("pawl: the store has accounts that are not retired")
)

// copied tells what a copy gets before it is completed.
func copied(key string) bool {
	return key != machine.KeyringKey && key != witnessKey && key != watchesKey
}

// Copy copies all entries to another engine and returns what there was. It fails
// with ErrNotEmpty.
// progress, if not nil, is called twice for each of total entries.
func Copy(ctx context.Context, from *machine.Store, to kv.Store, progress func(total int)) (kv.ScanRead, error) {
	if err := checkTarget(ctx, to); err != nil {
		return kv.ScanRead{}, err
	}
	snap := from.DB.Store().Snapshot()
	defer snap.Close()
	source, err := copykv.Read(ctx, snap)
	if err != nil {
		return kv.ScanRead{}, err
	}
	total := 2 * len(source.Entries)
	step := func() {
		if progress != nil {
			progress(total)
		}
	}
	if err := copykv.Bring(ctx, snap, to, copied, step); err != nil {
		return kv.ScanRead{}, err
	}
	return source, copykv.Verify(ctx, snap, to, copied, step)
}

// checkTarget spares a store: another one, or this one by another name.
func checkTarget(ctx context.Context, to kv.Store) error {
	_, err := machine.View(to, func(snap kv.Snapshot) (struct{}, error) {
		found, err := snap.Get(ctx, machine.KeyringKey)
		if err == nil && found[0].Exists() {
			err = ErrNotEmpty
		}
		return struct{}{}, err
	})
	return err
}

// Retire marks all accounts as moved, now, in one commit, which succeeds only if
// the store still holds what was copied. It fails with ErrMovedOn or
// ErrNothingToMove.
func Retire(ctx context.Context, s *machine.Store, copied kv.ScanRead, to account.Retirement) error {
	if (account.Account{}).Retire(to).Deleted() {
		return fmt.Errorf("%w: %q names no store: it marks accounts that are being deleted", kv.ErrInvalid, to.Target)
	}
	// Completing the copy needs both: better now than when all are retired.
	if _, err := readGeneration(ctx, s.DB); err != nil {
		return err
	}
	if err := s.Keyring.Check(ctx); err != nil {
		return err
	}
	unchanged := &onlyIf{Store: s.DB.Store(), holds: copied}
	_, err := txn.Do(ctx, s.Sealed(unchanged), func(tx *txn.Tx) (struct{}, error) {
		if unchanged.failed.Load() {
			return struct{}{}, ErrMovedOn
		}
		to.At = s.Now()
		return struct{}{}, retireAll(tx, to)
	})
	return err
}

func retireAll(tx *txn.Tx, to account.Retirement) error {
	var active []account.Account
	damaged, err := machine.EachAccount(tx, func(a account.Account) {
		if _, retired := a.Retired(); !retired {
			active = append(active, a)
		}
	})
	// One that cannot be marked would go on here, and in the copy, if it could be
	// read again.
	if err := errors.Join(err, damaged.Err()); err != nil {
		return err
	}
	if len(active) == 0 {
		return ErrNothingToMove
	}
	for _, a := range active {
		if err := machine.Accounts.Put(tx, a.Retire(to)); err != nil {
			return err
		}
	}
	return nil
}

// onlyIf is a store in which commits that write are conflicts unless all of it
// is still as it was.
type onlyIf struct {
	kv.Store
	holds  kv.ScanRead
	failed atomic.Bool
}

// Commit implements kv.Store.
func (o *onlyIf) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if len(b.Writes) == 0 {
		return o.Store.Commit(ctx, b)
	}
	more := *b
	more.Scans = append(b.Scans[:len(b.Scans):len(b.Scans)], o.holds)
	version, err := o.Store.Commit(ctx, &more)
	if errors.Is(err, kv.ErrConflict) {
		o.failed.Store(true)
	}
	return version, err
}

// Retirements returns where the accounts of the store were moved, and how many
// were not. Where some cannot be read the error says so, and what is known of
// the others is returned with it.
func Retirements(ctx context.Context, s *machine.Store) (moved []account.Retirement, active int, err error) {
	damaged, err := txn.View(ctx, s.DB, func(tx *txn.Tx) (machine.Damages, error) {
		moved, active = nil, 0
		return machine.EachAccount(tx, func(a account.Account) {
			if to, retired := a.Retired(); retired {
				moved = append(moved, to)
			} else {
				active++
			}
		})
	})
	return moved, active, errors.Join(err, damaged.Err())
}

// CompleteCopy makes a copy a store, and gives it the witness, if there is one,
// in a later generation than the source's. It fails with ErrNotRetired, or
// copykv.ErrDiffers.
func CompleteCopy(ctx context.Context, from *machine.Store, to kv.Store, w witness.Witness) error {
	generation, err := readGeneration(ctx, from.DB)
	if err != nil {
		return err
	}
	if err := checkCopy(ctx, from, to); err != nil {
		return err
	}
	if w != nil {
		if err := witnessCopy(ctx, from, to, w, generation+1); err != nil {
			return err
		}
	}
	if err := rebase(ctx, from, to); err != nil {
		return err
	}
	return from.Keyring.CopyTo(ctx, to)
}

// rebase lets the accounts of a copy count on in their order where the source's
// end: the versions of the copy begin anew. It may be done again, as long as
// nobody uses the copy.
func rebase(ctx context.Context, from *machine.Store, to kv.Store) error {
	head, err := head(ctx, from.DB.Store())
	if err != nil {
		return err
	}
	bases := map[machine.AccountName]account.Lineage{}
	_, err = txn.View(ctx, from.DB, func(tx *txn.Tx) (machine.Damages, error) {
		return machine.EachAccount(tx, func(a account.Account) {
			if a.Raised() {
				bases[machine.Accounts.Name(a)] = a.Lineage()
			}
		})
	})
	if err != nil {
		return err
	}
	copied := from.Sealed(to)
	for name, l := range bases {
		if l.Base += uint64(head); l.Base > account.MaxBase {
			return fmt.Errorf("pawl: the order of %s is at its end", name)
		}
		_, err := txn.Do(ctx, copied, func(tx *txn.Tx) (struct{}, error) { return struct{}{}, putLineage(tx, name, l) })
		if err != nil && !machine.IsDamage(err) {
			return err
		}
	}
	return nil
}

func putLineage(tx *txn.Tx, name machine.AccountName, l account.Lineage) error {
	a, ok, err := machine.Accounts.Get(tx, name)
	if err != nil || !ok {
		return err
	}
	return machine.Accounts.Put(tx, a.Raise(l))
}

// witnessCopy writes the witness first: a store that says it has one, and has
// none, is taken for a copy.
func witnessCopy(ctx context.Context, from *machine.Store, to kv.Store, w witness.Witness, generation uint64) error {
	head, err := head(ctx, to)
	if err != nil {
		return err
	}
	if err := save(ctx, w, witness.Mark{Store: witness.StoreID(from.ID), Generation: generation, Head: head}); err != nil {
		return err
	}
	_, err = txn.Do(ctx, from.Sealed(to), func(tx *txn.Tx) (struct{}, error) {
		return struct{}{}, generations.Put(tx, generation)
	})
	return err
}
