package badgerkv

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// view is a snapshot of one owner's, chosen by the first call. Until something
// of it was shown it may be chosen anew.
type view struct {
	store *Store

	mu     sync.Mutex
	closed bool
	seat   *seat // nil before the first call
	inner  kv.Snapshot
	shown  bool
}

// Get implements kv.Snapshot.
func (v *view) Get(ctx context.Context, keys ...string) (entries []kv.Entry, err error) {
	err = v.do(ctx, func(inner kv.Snapshot) (err error) {
		entries, err = inner.Get(ctx, keys...)
		return err
	})
	return entries, err
}

// Version implements kv.Snapshot.
func (v *view) Version(ctx context.Context) (version kv.Version, err error) {
	err = v.do(ctx, func(inner kv.Snapshot) (err error) {
		version, err = inner.Version(ctx)
		return err
	})
	return version, err
}

// Scan implements kv.Snapshot.
func (v *view) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		again := v.store.again()
		for {
			now, inner, err := v.choose(ctx, again)
			if err == nil {
				var more bool
				if more, err = v.scan(ctx, now, inner, prefix, yield); !more {
					return
				}
			}
			if err = v.after(ctx, again, now, err); !errors.Is(err, errAgain) {
				if err != nil {
					yield(kv.Entry{}, err)
				}
				return
			}
		}
	}
}

// scan yields what one owner shows, and returns whether the reader wants more.
func (v *view) scan(ctx context.Context, now *seat, inner kv.Snapshot, prefix string, yield func(kv.Entry, error) bool) (bool, error) {
	for entry, err := range inner.Scan(ctx, prefix) {
		if err == nil {
			err = v.show(now)
		}
		if err != nil {
			return true, err
		}
		if !yield(entry, nil) {
			return false, nil
		}
	}
	return true, v.show(now) // that nothing is there is shown, too
}

// Close implements kv.Snapshot.
func (v *view) Close() {
	v.mu.Lock()
	v.closed = true
	inner := v.inner
	v.mu.Unlock()
	if inner != nil {
		inner.Close()
	}
}

// do makes a call on the view.
func (v *view) do(ctx context.Context, call func(inner kv.Snapshot) error) error {
	again := v.store.again()
	for {
		now, inner, err := v.choose(ctx, again)
		if err == nil {
			if err = call(inner); err == nil {
				err = v.show(now)
			}
		}
		if err = v.after(ctx, again, now, err); !errors.Is(err, errAgain) {
			return err
		}
	}
}

// choose returns the owner's snapshot.
func (v *view) choose(ctx context.Context, again *again) (*seat, kv.Snapshot, error) {
	v.mu.Lock()
	now, inner, closed := v.seat, v.inner, v.closed
	v.mu.Unlock()
	if closed || inner != nil {
		return now, inner, v.ended(closed)
	}
	now, err := again.sit(ctx)
	if err != nil {
		return nil, nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.inner == nil && !v.closed {
		v.seat, v.inner = now, now.Snapshot()
	}
	return v.seat, v.inner, v.ended(v.closed)
}

func (v *view) ended(closed bool) error {
	if closed || v.store.isClosed() {
		return kv.ErrClosed
	}
	return nil
}

// show is called when something of a view is about to be shown. From then on
// there is no other.
func (v *view) show(now *seat) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.seat != now {
		return errAgain
	}
	v.shown = true
	return v.ended(v.closed)
}

// after returns what becomes of a call that returned err: errAgain if it is to
// be made anew.
func (v *view) after(ctx context.Context, again *again, now *seat, err error) error {
	if err == nil || errors.Is(err, errAgain) {
		return err
	}
	v.mu.Lock()
	closed := v.closed
	v.mu.Unlock()
	if closed {
		return kv.ErrClosed
	}
	if !again.lost(ctx, now, err) {
		return v.store.answer(err)
	}
	if err := v.drop(now, err); err != nil {
		return err
	}
	if err := again.goOn(err); err != nil {
		return err
	}
	return errAgain
}

// drop lets the next call choose another owner, unless something was shown.
func (v *view) drop(now *seat, err error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.seat != now:
		return nil // another call has
	case v.shown:
		return fmt.Errorf("%w: the view ended with its owner", kv.ErrConflict)
	}
	v.inner.Close()
	v.seat, v.inner = nil, nil
	return nil
}
