package sharekv

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/pawlkv/pawl/kv"
)

// Snapshot implements kv.Store. A snapshot that was read from is gone when the
// store gets another owner: its calls return kv.ErrConflict.
func (s *Store) Snapshot() kv.Snapshot { return &view{store: s} }

// Commit implements kv.Store. When the owner ends while a commit is under way,
// the batch goes to the next one, which knows whether it was applied.
func (s *Store) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := b.Check(s.limits); err != nil {
		return 0, err
	}
	retry := s.retry()
	var unsure error // why nobody knows what became of it
	for {
		t, err := retry.term(ctx)
		if err == nil {
			var version kv.Version
			if version, err = t.Commit(ctx, t.theirs(b, unsure != nil)); err == nil {
				return version, nil
			}
		}
		if !retry.ended(ctx, t, err) {
			return 0, s.verdict(ctx, err, unsure)
		}
		if errors.Is(err, kv.ErrUnknown) {
			unsure = err
		}
		if err := retry.inTime(err); err != nil {
			return 0, s.verdict(ctx, err, unsure)
		}
	}
}

// verdict returns the outcome of a commit that failed, and that may have been
// applied before by an owner that is gone, if unsure says so: then only an
// outcome that resolves the earlier try tells more.
func (s *Store) verdict(ctx context.Context, err, unsure error) error {
	switch {
	case unsure == nil, kv.OutcomeOf(err).Resolves(), errors.Is(err, kv.ErrUnknown):
		return s.answer(err)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", kv.ErrUnknown, ctx.Err())
	}
	return fmt.Errorf("%w: %v", kv.ErrUnknown, err)
}

// Limits implements kv.Store: those of the opener.
func (s *Store) Limits() kv.Limits { return s.limits }

// Turn implements kv.Store. A turn ends with its owner.
func (s *Store) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	retry := s.retry()
	for {
		t, err := retry.term(ctx)
		if err == nil {
			var turn kv.Turn
			if turn, err = t.Turn(ctx, keys...); err == nil {
				return t.ours(turn), nil
			}
		}
		if !retry.ended(ctx, t, err) {
			return kv.Turn{}, s.answer(err)
		}
		if err := retry.inTime(err); err != nil {
			return kv.Turn{}, err
		}
	}
}

// termShift leaves room for the number of an owner's turns below that of the
// term.
const termShift = 48

// ours makes an owner's turn one of this store.
func (t *term) ours(turn kv.Turn) kv.Turn {
	turn.ID |= kv.TurnID(t.number << termShift)
	return turn
}

// theirs returns the batch with the turn as the owner knows it; one that a
// former owner has granted is none. again says that a former owner has got the
// batch, and nobody knows what became of it.
func (t *term) theirs(b *kv.Batch, again bool) *kv.Batch {
	if b.Turn == 0 && !again {
		return b
	}
	batch := *b
	batch.Turn, batch.Again = 0, b.Again || again
	if b.Turn>>termShift == kv.TurnID(t.number<<termShift)>>termShift {
		batch.Turn = b.Turn & (1<<termShift - 1)
	}
	return &batch
}

// Watch implements kv.Store. It goes on with the next owner. An owner knows
// what changed since it opened the store, and of that the newest changes; for
// anything before it says resync.
func (s *Store) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		head := after
		s.yielded.Store(false) // one that goes on does not
		for {
			err := s.watch(ctx, prefix, &head, yield)
			if err == nil {
				return
			}
			if !errors.Is(err, errTermOver) {
				yield(kv.Change{}, s.answer(err))
				return
			}
		}
	}
}

// errTermOver: the owner that a call went to is gone, and the call is to be made
// anew.
var errTermOver = errors.New("sharekv: the store has another owner")

// watch watches during one term, and moves head on. It returns nil when the
// reader has enough.
func (s *Store) watch(ctx context.Context, prefix string, head *kv.Version, yield func(kv.Change, error) bool) error {
	t, err := s.follow(ctx)
	if err != nil {
		return ofStore(ctx, err)
	}
	for change, err := range t.Watch(ctx, prefix, *head) {
		switch {
		case s.isClosed():
			return kv.ErrClosed
		case s.retry().ended(ctx, t, err):
			return errTermOver
		case err != nil:
			return err
		case !yield(change, nil):
			return nil
		}
		*head = change.Head
	}
	return errTermOver
}

// Flatten erases what was deleted or overwritten from the store's files, as far
// as the engine can; see there. Errors: the context's (before it begins),
// kv.ErrClosed, kv.ErrUnavailable, or why the engine failed.
func (s *Store) Flatten(ctx context.Context) error {
	retry := s.retry()
	for {
		t, err := retry.term(ctx)
		if err == nil {
			err = t.Flatten(ctx)
		}
		if err == nil || !retry.ended(ctx, t, err) {
			return s.answer(err)
		}
		if err := retry.inTime(err); err != nil {
			return err
		}
	}
}
