package watch

import (
	"context"
	"iter"

	"github.com/pawlkv/pawl/kv"
)

// Watch is kv.Store.Watch. The sequence may be ranged over several times; each
// time it begins after the version again.
func (h *Hub) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		w := h.add(prefix, after)
		defer h.remove(w)
		for {
			err := h.await(ctx, w)
			if err != nil {
				yield(kv.Change{}, err)
				return
			}
			for _, change := range h.since(w) {
				if err := h.ended(ctx); err != nil {
					yield(kv.Change{}, err)
					return
				}
				if !yield(change, nil) {
					return
				}
			}
		}
	}
}

// add registers a watcher and rings it, so that it reads what is there already.
func (h *Hub) add(prefix string, after kv.Version) *watcher {
	w := &watcher{prefix: prefix, after: after, rung: true, bell: make(chan struct{}, 1)}
	w.bell <- struct{}{}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.watchers[w] = struct{}{}
	return w
}

func (h *Hub) remove(w *watcher) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.watchers, w)
}

// await returns nil when w was rung.
func (h *Hub) await(ctx context.Context, w *watcher) error {
	if err := h.ended(ctx); err != nil {
		return err
	}
	select {
	case <-w.bell:
		return nil
	case <-h.closed:
		return kv.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ended returns why no watch goes on, nil if it does.
func (h *Hub) ended(ctx context.Context) error {
	select {
	case <-h.closed:
		return kv.ErrClosed
	default:
		return ctx.Err()
	}
}
