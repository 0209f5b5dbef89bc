package faulty

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/pawlkv/pawl/kv"
)

// Stage is a moment of a call.
type Stage int

// The stages at which CancelAt cancels.
const (
	BeforeCall Stage = iota // the store sees a context that has ended
	AfterCall               // the answer is there, and the context has ended
)

// CancelAt returns store with cancel called at a stage of the n-th call, the
// first being 1. Run a test for n = 1, 2, ... until reached reports false: then
// it was cancelled everywhere it can be.
func CancelAt(store kv.Store, n int, stage Stage, cancel func()) (wrapped kv.Store, reached func() bool) {
	var calls, hit atomic.Int64
	at := func(count int64) {
		if count == int64(n) {
			hit.Store(1)
			cancel()
		}
	}
	hooks := Hooks{Before: func(context.Context, Call) error { at(calls.Add(1)); return nil }}
	if stage == AfterCall {
		hooks = Hooks{After: func(context.Context, Call, error) error { at(calls.Add(1)); return nil }}
	}
	return Wrap(store, hooks), func() bool { return hit.Load() == 1 }
}

// Trace records the calls made through its hooks, in the order they began.
type Trace struct {
	mu  sync.Mutex
	ops []Op
}

// Wrap returns store with its calls recorded.
func (t *Trace) Wrap(store kv.Store) kv.Store {
	return Wrap(store, Hooks{Before: func(_ context.Context, call Call) error {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.ops = append(t.ops, call.Op)
		return nil
	}})
}

// Ops returns the calls recorded so far.
func (t *Trace) Ops() []Op {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.ops)
}
