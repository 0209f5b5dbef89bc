package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/wire"
)

// again makes a call anew when its session has ended under it, as long as the
// patience lasts.
type again struct {
	store *Store
	began time.Time
	limit time.Time // zero before the first session ended
}

func (s *Store) again() *again { return &again{store: s, began: time.Now()} }

// limit is how long to wait for an owner from now on.
func (s *Store) limit() time.Time { return time.Now().Add(s.patience) }

// sit returns a session to make the call in.
func (a *again) sit(ctx context.Context) (*seat, error) {
	if now := a.store.now.Load(); now != nil && !now.isOver() {
		return now, nil
	}
	a.store.yielded.Store(false)
	limit := a.limit
	if limit.IsZero() {
		limit = a.store.limit()
	}
	now, err := a.store.sit(ctx, limit)
	return now, ofStore(ctx, err)
}

// ofStore makes an error of opening the store one that a call may return.
func ofStore(ctx context.Context, err error) error {
	if err == nil || err == ctx.Err() {
		return err
	}
	for _, known := range []error{kv.ErrUnavailable, kv.ErrClosed, kv.ErrCorrupt, kv.ErrDiskFull, kv.ErrInUse} {
		if errors.Is(err, known) {
			return err
		}
	}
	return fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
}

// lost reports whether err says that the session is over, and with it the call
// but not the store. It returns when the session has ended.
func (a *again) lost(ctx context.Context, now *seat, err error) bool {
	if now == nil || !errors.Is(err, wire.ErrGone) && !errors.Is(err, kv.ErrClosed) || a.store.isClosed() {
		return false
	}
	select {
	case <-now.over(): // at once: the session has said so
	case <-ctx.Done():
	}
	return true
}

// goOn returns nil if the call may be made anew, and else what it returns.
func (a *again) goOn(err error) error {
	if a.limit.IsZero() {
		a.limit = a.store.limit()
		if errors.Is(err, wire.ErrSilent) { // that took some of the patience
			a.limit = a.began.Add(a.store.patience)
		}
	}
	if time.Now().Before(a.limit) {
		return nil
	}
	return fmt.Errorf("%w: %v", kv.ErrUnavailable, err)
}

// answer makes an error of a session one of the store.
func (s *Store) answer(err error) error {
	if errors.Is(err, wire.ErrGone) && !errors.Is(err, kv.ErrUnknown) && s.isClosed() {
		return kv.ErrClosed
	}
	return err
}
