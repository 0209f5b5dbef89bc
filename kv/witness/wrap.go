package witness

import (
	"context"
	"sync/atomic"

	"github.com/pawlkv/pawl/kv"
)

// Option changes what Wrap does.
type Option func(*witnessed)

// OnError sets a function that is told when a mark could not be saved. The
// commit succeeded all the same; the witness lags until the next.
func OnError(f func(error)) Option { return func(w *witnessed) { w.failed = f } }

// Wrap returns the store with a witness: the mark of each synced commit is
// saved before Commit returns. The store and the generation are those of from, which
// the witness has already. Closing the result closes store and not the witness.
func Wrap(store kv.Store, w Witness, from Mark, opts ...Option) kv.Store {
	out := &witnessed{
		Store: store, witness: w, from: from, saving: make(chan struct{}, 1), tried: from.Head, failed: func(error) {},
	}
	for _, set := range opts {
		set(out)
	}
	return out
}

type witnessed struct {
	kv.Store
	witness Witness
	from    Mark
	failed  func(error)

	synced atomic.Uint64 // the latest synced commit of this handle
	saving chan struct{} // has a token while somebody saves
	tried  kv.Version    // the latest that was saved, or could not be
}

// Unwrap implements kv.Wrapper.
func (w *witnessed) Unwrap() kv.Store { return w.Store }

// Commit implements kv.Store.
func (w *witnessed) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	version, err := w.Store.Commit(ctx, b)
	if err == nil && b.Sync && len(b.Writes) > 0 {
		w.note(ctx, version)
	}
	return version, err
}

// note saves the mark of a commit, unless somebody tries a later one first: if
// that cannot be saved, those who have waited for it do not try one by one.
func (w *witnessed) note(ctx context.Context, version kv.Version) {
	raise(&w.synced, uint64(version))
	w.saving <- struct{}{}
	defer func() { <-w.saving }()
	if w.tried >= version {
		return
	}
	m := w.from
	m.Head = kv.Version(w.synced.Load())
	w.tried = m.Head
	// The commit happened, whatever became of its caller.
	ctx = context.WithoutCancel(ctx)
	if _, prompt := w.witness.(*File); !prompt { // which waits for nobody
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, SaveWait)
		defer cancel()
	}
	if err := w.witness.Save(ctx, m); err != nil {
		w.failed(err)
	}
}

// raise sets a to n if n is greater.
func raise(a *atomic.Uint64, n uint64) {
	for old := a.Load(); old < n && !a.CompareAndSwap(old, n); old = a.Load() {
	}
}
