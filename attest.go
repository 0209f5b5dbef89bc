package pawl

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/pawlkv/pawl/account"
	frame "github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// epochs is the store's part of its witness's mark: the epoch. A store without
// the record never had a witness.
var epochs = txn.Single[uint64]{Kind: "witness", Codec: epochCodec{}, Shared: true}

type epochCodec struct{}

const (
	epochVersion = 1
	epochFields  = 1
)

func (epochCodec) Append(dst []byte, epoch uint64) ([]byte, error) {
	return append(dst, frame.Encode(epochVersion, epochFields, 16, func(w *frame.Writer) { w.Uint(epoch) })...), nil
}

func (epochCodec) Decode(b []byte) (epoch uint64, err error) {
	err = frame.Decode("witness", b, epochVersion, epochFields, func(r *frame.Reader) {
		epoch = r.Uint(1<<64 - 1)
		r.Check(epoch != 0, "epoch")
	})
	return epoch, err
}

// attest compares the store with its witness. When it returns, all accounts of
// a store that went back in time are marked, and the witness has the store's
// mark, which is returned.
func (s *Store) attest(ctx context.Context, id seal.StoreID) (witness.Mark, error) {
	for {
		// What is found in the store between two equal epochs belongs together
		// with what the witness says between them.
		before, err := s.epoch(ctx)
		if err != nil {
			return witness.Mark{}, err
		}
		seen, answer := s.opts.witness.Load(ctx)
		now := witness.Mark{Store: witness.StoreID(id)}
		// The head is looked at after the witness, which is never ahead.
		if now.Head, err = s.head(ctx); err != nil {
			return witness.Mark{}, err
		}
		if now.Epoch, err = s.epoch(ctx); err != nil {
			return witness.Mark{}, err
		}
		if now.Epoch != before {
			continue // another process is at it
		}
		cause, err := judge(now, seen, answer)
		if err != nil {
			return witness.Mark{}, fmt.Errorf("pawl: ask the witness of the store: %w", err)
		}
		done, err := s.settle(ctx, &now, seen, cause)
		if done || err != nil {
			return now, err
		}
	}
}

// judge says why the store as it is now cannot be the one that the witness has
// seen, or nothing. The error is the witness's if it says nothing either.
func judge(now, seen witness.Mark, answer error) (account.Cause, error) {
	void := errors.Is(answer, witness.ErrNone) || errors.Is(answer, witness.ErrDamaged)
	copied := errors.Is(answer, witness.ErrCopied)
	switch {
	case answer != nil && !void && !copied:
		return 0, answer
	case now.Epoch == 0 && (void || seen.Store != now.Store):
		return 0, nil // it never had a witness: this is where it begins
	case void, seen.Store != now.Store:
		return account.Unwitnessed, nil
	case copied:
		return account.Copied, nil
	case now.Head < seen.Head, now.Epoch != 0 && now.Epoch < seen.Epoch:
		return account.Behind, nil
	case now.Epoch > seen.Epoch:
		return account.Unwitnessed, nil // an older state was accepted, and the witness does not know
	}
	return 0, nil
}

// settle marks the accounts if there is a cause, and makes store and witness
// agree. It returns false if another process did meanwhile.
func (s *Store) settle(ctx context.Context, now *witness.Mark, seen witness.Mark, cause account.Cause) (bool, error) {
	before := now.Epoch
	now.Epoch = nextEpoch(*now, seen, cause)
	if cause == 0 {
		// The witness first: a store that says it has one, and has none, is taken
		// for a copy.
		if err := s.saveMark(ctx, now); err != nil {
			return false, err
		}
		return s.putEpoch(ctx, before, now.Epoch)
	}
	s.opts.log.LogAttrs(ctx, slog.LevelWarn, "the store went back in time: its accounts must be recovered before they send",
		slog.String("cause", cause.String()), slog.Uint64("head", uint64(now.Head)), slog.Uint64("witnessed", uint64(seen.Head)))
	if cause == account.Behind && seen.Head > now.Head {
		s.behind = fmt.Sprintf(" (it goes to version %d, and %d was committed)", now.Head, seen.Head)
	}
	if err := s.requireRecovery(ctx, cause); err != nil {
		return false, err
	}
	// The store first: until the witness agrees, the accounts are marked again.
	if ok, err := s.putEpoch(ctx, before, now.Epoch); !ok || err != nil {
		return false, err
	}
	return true, s.saveMark(ctx, now)
}

// nextEpoch is the one that store and witness will have. A store that is older
// than it was gets a new one, in which its head may be lower than before.
func nextEpoch(now, seen witness.Mark, cause account.Cause) uint64 {
	epoch := max(now.Epoch, 1)
	if seen.Store == now.Store {
		epoch = max(epoch, seen.Epoch)
	}
	if cause != 0 {
		epoch++
	}
	return epoch
}

func (s *Store) saveMark(ctx context.Context, now *witness.Mark) error {
	var err error
	if now.Head, err = s.head(ctx); err != nil {
		return err
	}
	if err = s.opts.witness.Save(ctx, *now); err != nil {
		err = fmt.Errorf("pawl: save the mark of the store: %w", err)
	}
	return err
}

func (s *Store) epoch(ctx context.Context) (uint64, error) {
	return txn.View(ctx, s.db, func(tx *txn.Tx) (uint64, error) {
		epoch, _, err := epochs.Get(tx)
		return epoch, err
	})
}

// putEpoch replaces one epoch by another, and returns false if there is a
// third.
func (s *Store) putEpoch(ctx context.Context, from, to uint64) (bool, error) {
	return txn.Do(ctx, s.db, func(tx *txn.Tx) (bool, error) {
		epoch, _, err := epochs.Get(tx)
		if err != nil || epoch == to || epoch != from {
			return epoch == to, err
		}
		return true, epochs.Put(tx, to)
	})
}

func (s *Store) head(ctx context.Context) (kv.Version, error) {
	return view(s.db.Store(), func(snap kv.Snapshot) (kv.Version, error) { return snap.Version(ctx) })
}

// views is how often a view that is lost, because the engine changed hands, is
// taken again.
const views = 20

// view calls f with a snapshot, and again with another if that one is lost.
func view[T any](store kv.Store, f func(kv.Snapshot) (T, error)) (v T, err error) {
	for range views {
		snap := store.Snapshot()
		v, err = f(snap)
		snap.Close()
		if !errors.Is(err, kv.ErrConflict) {
			break
		}
	}
	return v, err
}

// accountChunk bounds the accounts that are marked in one commit.
const accountChunk = 500

// requireRecovery marks every account that is not retired: a retired one sends
// nothing.
func (s *Store) requireRecovery(ctx context.Context, cause account.Cause) error {
	all, err := s.Accounts(ctx)
	if err != nil {
		return err
	}
	for chunk := range slices.Chunk(all, accountChunk) {
		_, err := txn.Do(ctx, s.db, func(tx *txn.Tx) (struct{}, error) {
			return struct{}{}, s.mark(tx, chunk, cause)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) mark(tx *txn.Tx, ids []Identity, cause account.Cause) error {
	for _, id := range ids {
		a, ok, err := accounts.Get(tx, accountName{id.UserID, id.DeviceID})
		if err != nil {
			return err
		}
		_, retired := a.Retired()
		_, marked := a.NeedsRecovery()
		if !ok || retired || marked {
			continue
		}
		if err := accounts.Put(tx, a.RequireRecovery(cause, s.opts.now())); err != nil {
			return err
		}
	}
	return nil
}

// unwitnessed is told when a commit could not be witnessed. It is durable all
// the same, and the witness lags until the next.
func (s *Store) unwitnessed(err error) {
	s.opts.log.Warn("the witness of the store could not be written", slog.Any("error", err))
}
