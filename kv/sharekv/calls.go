package sharekv

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
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

// Raise implements kv.Raiser. Programs that have the store open are those that
// are connected to its owner, this one included; one that comes back from a
// former owner is waited for.
func (s *Store) Raise(ctx context.Context) (kv.Format, error) {
	retry := s.retry()
	for {
		t, err := retry.term(ctx)
		var format kv.Format
		if err == nil {
			format, err = t.Raise(ctx)
		}
		if err == nil || !retry.ended(ctx, t, err) {
			return format, s.answer(err)
		}
		if err := retry.inTime(err); err != nil {
			return 0, err
		}
	}
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

// access is how this process reaches the store during a term: as its owner, or
// as a guest of the owner's. When the term is over, its calls return
// kv.ErrClosed or wire.ErrGone.
type access interface {
	wire.Store
	over() <-chan struct{}
	end() error // returns when it is over and nothing of it is left
	status() Status
}

// term is a time during which the store has one owner, as far as this Store
// knows it. Its number tells turns of different owners apart.
type term struct {
	access
	number uint64
}

func (t *term) isOver() bool {
	select {
	case <-t.over():
		return true
	default:
		return false
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

// errTermOver: the owner that a call went to is gone, and the call is to be made
// anew.
var errTermOver = errors.New("sharekv: the store has another owner")

// retry makes a call anew when the term has ended under it, as long as the
// patience lasts.
type retry struct {
	store *Store
	began time.Time
	limit time.Time // zero before the first term ended
}

func (s *Store) retry() *retry { return &retry{store: s, began: time.Now()} }

// limit is how long to wait for an owner from now on.
func (s *Store) limit() time.Time { return time.Now().Add(s.patience) }

// term returns the term to make the call in.
func (r *retry) term(ctx context.Context) (*term, error) {
	if t := r.store.term.Load(); t != nil && !t.isOver() {
		return t, nil
	}
	r.store.yielded.Store(false)
	limit := r.limit
	if limit.IsZero() {
		limit = r.store.limit()
	}
	t, err := r.store.begin(ctx, limit)
	return t, ofStore(ctx, err)
}

// ofStore makes an error of opening the store one that a call may return: one that
// says nothing of a commit is a reason why the store is unavailable.
func ofStore(ctx context.Context, err error) error {
	if err == nil || err == ctx.Err() || kv.OutcomeOf(err) != kv.Undecided {
		return err
	}
	return fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
}

// ended reports whether err says that the term is over, and with it the call but
// not the store. It returns when the term has ended.
func (r *retry) ended(ctx context.Context, t *term, err error) bool {
	if t == nil || !errors.Is(err, wire.ErrGone) && !errors.Is(err, kv.ErrClosed) || r.store.isClosed() {
		return false
	}
	select {
	case <-t.over(): // at once: the term has said so
	case <-ctx.Done():
	}
	return true
}

// inTime returns nil if the call may be made anew, and else what it returns.
func (r *retry) inTime(err error) error {
	if r.limit.IsZero() {
		r.limit = r.store.limit()
		if errors.Is(err, wire.ErrSilent) { // that took some of the patience
			r.limit = r.began.Add(r.store.patience)
		}
	}
	if time.Now().Before(r.limit) {
		return nil
	}
	var silence *wire.Silence
	if errors.As(err, &silence) {
		return fmt.Errorf("%w: %v", kv.ErrUnavailable, silence) // not that the connection has ended, too
	}
	return fmt.Errorf("%w: %v", kv.ErrUnavailable, err)
}

// answer makes an error of a term one of the store.
func (s *Store) answer(err error) error {
	if errors.Is(err, wire.ErrGone) && !errors.Is(err, kv.ErrUnknown) && s.isClosed() {
		return kv.ErrClosed
	}
	return err
}

func (s *Store) isClosed() bool { return s.ctx.Err() != nil }
