package broken

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
)

// Handle is one of several stores of the same data.
type Handle struct {
	*Store
	flaw   Flaw
	number int
	turns  *turns.Table // of its own, for HandlesTurns

	ctx   context.Context // ends when it is closed
	close context.CancelFunc

	mu   sync.Mutex
	seen kv.Snapshot // that all views are, until it commits, for HandlesLag
}

var _ kv.Store = (*Handle)(nil)

// Share returns another store of the data of one that stays open. Its flaw is
// one of those of handles.
func Share(s *Store, number int, flaw Flaw) *Handle {
	h := &Handle{
		Store: s, flaw: flaw, number: number, turns: turns.New(s.Limits().TurnLife, nil),
	}
	h.ctx, h.close = context.WithCancel(context.Background())
	return h
}

// within ends with ctx and when the handle is closed.
func (h *Handle) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(h.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// orClosed is err, or that the handle is closed.
func (h *Handle) orClosed(err error) error {
	if err != nil && h.ctx.Err() != nil {
		return kv.ErrClosed
	}
	return err
}

// Snapshot implements kv.Store.
func (h *Handle) Snapshot() kv.Snapshot {
	if h.flaw != HandlesLag || h.number == 1 {
		return h.Store.Snapshot()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.seen == nil {
		h.seen = h.Store.Snapshot()
	}
	return held{h.seen}
}

// held is a view that others have too.
type held struct{ kv.Snapshot }

// Close implements kv.Snapshot.
func (held) Close() {}

// Commit implements kv.Store.
func (h *Handle) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	ctx, done := h.within(ctx)
	defer done()
	mine := *b
	if h.flaw == HandlesIDs { // each has IDs of its own
		mine.ID.Random[0] += byte(h.number)
	}
	if h.flaw == HandlesTurns {
		leave, err := h.turns.Enter(ctx, b)
		if err != nil {
			return 0, h.orClosed(err)
		}
		defer leave()
	}
	version, err := h.Store.Commit(ctx, &mine)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.seen = nil
	return version, h.orClosed(err)
}

// Turn implements kv.Store.
func (h *Handle) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	ctx, done := h.within(ctx)
	defer done()
	switch {
	case h.flaw == HandlesTurns:
		turn, err := h.turns.Take(ctx, keys...)
		return turn, h.orClosed(err)
	case h.flaw == HandlesStarve && h.number > 1:
		// It asks only when nobody of the first waits.
		for h.asking.Load() > 0 {
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
				return kv.Turn{}, h.orClosed(ctx.Err())
			}
		}
	}
	h.asking.Add(1)
	turn, err := h.Store.Turn(ctx, keys...)
	h.asking.Add(-1)
	if err == nil {
		stop := context.AfterFunc(h.ctx, turn.Release)
		release := turn.Release
		turn.Release = func() { stop(); release() }
	}
	return turn, h.orClosed(err)
}

// Watch implements kv.Store.
func (h *Handle) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		ctx, done := h.within(ctx)
		defer done()
		for c, err := range h.Store.Watch(ctx, prefix, after) {
			if err == nil && h.flaw == HandlesDeaf && !c.Resync && c.Version != 0 {
				continue
			}
			if !yield(c, h.orClosed(err)) {
				return
			}
		}
	}
}

// Close implements kv.Store. The data stay open for the others.
func (h *Handle) Close() error {
	if h.flaw == HandlesClose {
		return h.Store.Close()
	}
	h.close()
	return nil
}
