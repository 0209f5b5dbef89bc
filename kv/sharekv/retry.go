package sharekv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

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

// ofStore makes an error of opening the store one that a call may return: one of
// this system is a reason why the store is unavailable.
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
	return fmt.Errorf("%w: %v", kv.ErrUnavailable, err)
}

// answer makes an error of a term one of the store.
func (s *Store) answer(err error) error {
	if errors.Is(err, wire.ErrGone) && !errors.Is(err, kv.ErrUnknown) && s.isClosed() {
		return kv.ErrClosed
	}
	return err
}
