package pawl

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/copykv"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/txn"
)

// Errors of moving a store.
var (
	// ErrMovedOn: the store has changed since it was copied. Nothing was
	// retired: copy it again.
	ErrMovedOn = errors.New("pawl: the store has changed since it was copied")
	// ErrNothingToMove: the store has no account that is not retired.
	ErrNothingToMove = errors.New("pawl: the store has no account to move")
)

// Keys that a copy gets when it is completed.
const (
	keyringKey = "_/keyring" // without it nobody opens the copy
	witnessKey = "_/witness" // of the source, whose versions are others
)

func copied(key string) bool { return key != keyringKey && key != witnessKey }

// Copy is what a store was copied from.
type Copy struct{ source kv.ScanRead }

// CopyTo makes another engine's store, which is empty or was copied to before,
// hold what this one does, and compares them entry by entry. What is sealed stays
// sealed. The copy cannot be opened until CompleteCopy. step, if not nil, is
// called twice for each of total entries. Retire with the result says whether
// the store has changed meanwhile.
//
// Errors: copykv.ErrDiffers, those of kv, and kv.ErrConflict if a view was lost,
// when CopyTo may be called again.
func (s *Store) CopyTo(ctx context.Context, to kv.Store, step func(total int)) (Copy, error) {
	snap := s.db.Store().Snapshot()
	defer snap.Close()
	source, err := copykv.Read(ctx, snap)
	if err != nil {
		return Copy{}, err
	}
	total := 2 * len(source.Entries)
	tell := func() {
		if step != nil {
			step(total)
		}
	}
	if err := copykv.Bring(ctx, snap, to, copied, tell); err != nil {
		return Copy{}, err
	}
	return Copy{source}, copykv.Verify(ctx, snap, to, copied, tell)
}

// Retire marks all accounts as moved to a store with an id at a path, in one
// commit, which succeeds only if the store still holds what was copied. From
// then on they only inspect; accounts that were retired before keep their mark.
// Errors: ErrMovedOn, ErrNothingToMove.
func (s *Store) Retire(ctx context.Context, c Copy, id, path string) error {
	ring, err := s.unlock(ctx)
	if err != nil {
		return err
	}
	unchanged := &onlyIf{Store: s.db.Store(), holds: c.source}
	db := txn.New(unchanged, append([]txn.Option{txn.WithSealer(ring)}, s.opts.txn...)...)
	_, err = txn.Do(ctx, db, func(tx *txn.Tx) (struct{}, error) {
		if unchanged.failed.Load() {
			return struct{}{}, ErrMovedOn
		}
		return struct{}{}, s.retireAll(tx, id, path)
	})
	return err
}

func (s *Store) retireAll(tx *txn.Tx, id, path string) error {
	var active []account.Account
	for a, err := range accounts.Scan(tx) {
		if err != nil {
			return err
		}
		if _, retired := a.Retired(); !retired {
			active = append(active, a)
		}
	}
	if len(active) == 0 {
		return ErrNothingToMove
	}
	for _, a := range active {
		if err := accounts.Put(tx, a.Retire(id, path, s.opts.now())); err != nil {
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
// were not.
func (s *Store) Retirements(ctx context.Context) (moved []account.Retirement, active int, err error) {
	_, err = txn.View(ctx, s.db, func(tx *txn.Tx) (struct{}, error) {
		moved, active = nil, 0
		for a, err := range accounts.Scan(tx) {
			if err != nil {
				return struct{}{}, err
			}
			if to, retired := a.Retired(); retired {
				moved = append(moved, to)
			} else {
				active++
			}
		}
		return struct{}{}, nil
	})
	return moved, active, err
}

// CompleteCopy makes a copy a store: it opens with the passphrase or key that
// this one opens with now, and the witness, if there is one, has its mark, in a
// later epoch than this store's. Call it when this store's accounts are retired,
// and again if it was interrupted.
func (s *Store) CompleteCopy(ctx context.Context, to kv.Store, w witness.Witness) error {
	ring, err := s.unlock(ctx)
	if err != nil {
		return err
	}
	stored, err := txn.View(ctx, s.boot, func(tx *txn.Tx) ([]byte, error) {
		b, ok, err := keyring.Get(tx)
		if err == nil && !ok {
			err = corrupt("the keyring is gone")
		}
		return b, err
	})
	if err != nil {
		return err
	}
	epoch, err := s.epoch(ctx)
	if err != nil {
		return err
	}
	made := &Store{opts: s.opts}
	made.use(to, ring)
	if w != nil {
		// The witness first: a store that says it has one, and has none, is taken
		// for a copy.
		epoch++
		head, err := made.head(ctx)
		if err != nil {
			return err
		}
		if err := w.Save(ctx, witness.Mark{Store: witness.StoreID(ring.Store()), Epoch: epoch, Head: head}); err != nil {
			return fmt.Errorf("pawl: save the mark of the store: %w", err)
		}
		if _, err := txn.Do(ctx, made.db, func(tx *txn.Tx) (struct{}, error) { return struct{}{}, epochs.Put(tx, epoch) }); err != nil {
			return err
		}
	}
	_, err = txn.Do(ctx, made.boot, func(tx *txn.Tx) (struct{}, error) { return struct{}{}, keyring.Put(tx, stored) })
	return err
}
