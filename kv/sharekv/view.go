package sharekv

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
	term   *term // nil before the first call
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
		retry := v.store.retry()
		for {
			t, inner, err := v.choose(ctx, retry)
			if err == nil {
				var more bool
				if more, err = v.scan(ctx, t, inner, prefix, yield); !more {
					return
				}
			}
			if err = v.after(ctx, retry, t, err); !errors.Is(err, errTermOver) {
				if err != nil {
					yield(kv.Entry{}, err)
				}
				return
			}
		}
	}
}

// scan yields what one owner shows, and returns whether the reader wants more.
func (v *view) scan(ctx context.Context, t *term, inner kv.Snapshot, prefix string, yield func(kv.Entry, error) bool) (bool, error) {
	for entry, err := range inner.Scan(ctx, prefix) {
		if err == nil {
			err = v.show(t)
		}
		if err != nil {
			return true, err
		}
		if !yield(entry, nil) {
			return false, nil
		}
	}
	return true, v.show(t) // that nothing is there is shown, too
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
	retry := v.store.retry()
	for {
		t, inner, err := v.choose(ctx, retry)
		if err == nil {
			if err = call(inner); err == nil {
				err = v.show(t)
			}
		}
		if err = v.after(ctx, retry, t, err); !errors.Is(err, errTermOver) {
			return err
		}
	}
}

// choose returns the owner's snapshot.
func (v *view) choose(ctx context.Context, retry *retry) (*term, kv.Snapshot, error) {
	v.mu.Lock()
	t, inner, closed := v.term, v.inner, v.closed
	v.mu.Unlock()
	if closed || inner != nil {
		return t, inner, v.ended(closed)
	}
	t, err := retry.term(ctx)
	if err != nil {
		return nil, nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.inner == nil && !v.closed {
		v.term, v.inner = t, t.Snapshot()
	}
	return v.term, v.inner, v.ended(v.closed)
}

func (v *view) ended(closed bool) error {
	if closed || v.store.isClosed() {
		return kv.ErrClosed
	}
	return nil
}

// show is called when something of a view is about to be shown. From then on
// there is no other.
func (v *view) show(t *term) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.term != t {
		return errTermOver
	}
	v.shown = true
	return v.ended(v.closed)
}

// after returns what becomes of a call that returned err: errTermOver if it is to
// be made anew.
func (v *view) after(ctx context.Context, retry *retry, t *term, err error) error {
	if err == nil || errors.Is(err, errTermOver) {
		return err
	}
	v.mu.Lock()
	closed := v.closed
	v.mu.Unlock()
	if closed {
		return kv.ErrClosed
	}
	if !retry.ended(ctx, t, err) {
		return v.store.answer(err)
	}
	if err := v.drop(t, err); err != nil {
		return err
	}
	if err := retry.inTime(err); err != nil {
		return err
	}
	return errTermOver
}

// drop lets the next call choose another owner, unless something was shown.
func (v *view) drop(t *term, err error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.term != t:
		return nil // another call has
	case v.shown:
		return fmt.Errorf("%w: the view ended with its owner", kv.ErrConflict)
	}
	v.inner.Close()
	v.term, v.inner = nil, nil
	return nil
}
