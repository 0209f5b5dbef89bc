package faulty

import (
	"context"
	"iter"

	"github.com/pawlkv/pawl/kv"
)

// Op names a method that talks to the store.
type Op string

// The methods with hooks. Taking and closing a snapshot, releasing a turn and
// closing the store make no round trip and have none.
const (
	Get     Op = "get"
	Scan    Op = "scan"
	Version Op = "version"
	Commit  Op = "commit"
	Turn    Op = "turn"
	Watch   Op = "watch"
)

// Call is one call on the store.
type Call struct {
	Op     Op
	Keys   []string  // of Get and Turn
	Prefix string    // of Scan and Watch
	Batch  *kv.Batch // of Commit, not to be changed
}

// Hooks come around each call; either may be nil. They are called in the
// goroutine of the call, and may block it. The hooks of Scan and Watch come
// before the first and after the last entry of each range over the sequence.
type Hooks struct {
	// Before may end the call with an error; then the call is not made.
	Before func(ctx context.Context, call Call) error
	// After gets the error of the call that was made, and an error that it
	// returns takes its place, also where there was none. To return nil leaves
	// it as it is.
	After func(ctx context.Context, call Call, err error) error
}

// Wrap returns store with hooks around its calls.
func Wrap(store kv.Store, hooks Hooks) kv.Store { return &wrapped{store, hooks} }

type wrapped struct {
	kv.Store
	hooks Hooks
}

type snapshot struct {
	kv.Snapshot
	store *wrapped
}

// Unwrap implements kv.Wrapper.
func (s *wrapped) Unwrap() kv.Store { return s.Store }

func (s *wrapped) before(ctx context.Context, call Call) error {
	if s.hooks.Before == nil {
		return nil
	}
	return s.hooks.Before(ctx, call)
}

func (s *wrapped) after(ctx context.Context, call Call, err error) error {
	if s.hooks.After == nil {
		return err
	}
	if other := s.hooks.After(ctx, call, err); other != nil {
		return other
	}
	return err
}

// around makes a call between the hooks. Its result counts for nothing when
// there is an error.
func around[T any](ctx context.Context, s *wrapped, call Call, do func() (T, error)) (T, error) {
	var none T
	if err := s.before(ctx, call); err != nil {
		return none, err
	}
	result, err := do()
	if err := s.after(ctx, call, err); err != nil {
		return none, err
	}
	return result, nil
}

func (s *wrapped) Snapshot() kv.Snapshot { return &snapshot{s.Store.Snapshot(), s} }

func (s *wrapped) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	return around(ctx, s, Call{Op: Commit, Batch: b}, func() (kv.Version, error) { return s.Store.Commit(ctx, b) })
}

func (s *wrapped) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	var granted kv.Turn
	turn, err := around(ctx, s, Call{Op: Turn, Keys: keys}, func() (kv.Turn, error) {
		var err error
		granted, err = s.Store.Turn(ctx, keys...)
		return granted, err
	})
	// A turn that was granted and whose answer was lost is nobody's to release.
	if err != nil && granted.Release != nil {
		granted.Release()
	}
	return turn, err
}

func (s *wrapped) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return aroundSeq(ctx, s, Call{Op: Watch, Prefix: prefix}, s.Store.Watch(ctx, prefix, after))
}

func (n *snapshot) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	return around(ctx, n.store, Call{Op: Get, Keys: keys}, func() ([]kv.Entry, error) { return n.Snapshot.Get(ctx, keys...) })
}

func (n *snapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return aroundSeq(ctx, n.store, Call{Op: Scan, Prefix: prefix}, n.Snapshot.Scan(ctx, prefix))
}

func (n *snapshot) Version(ctx context.Context) (kv.Version, error) {
	return around(ctx, n.store, Call{Op: Version}, func() (kv.Version, error) { return n.Snapshot.Version(ctx) })
}

// aroundSeq ranges over a sequence between the hooks. A reader who breaks off
// ends the call without an error.
func aroundSeq[T any](ctx context.Context, s *wrapped, call Call, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		if err := s.before(ctx, call); err != nil {
			yield(none, err)
			return
		}
		last, more := forward(seq, yield)
		if err := s.after(ctx, call, last); err != nil && more {
			yield(none, err)
		}
	}
}

// forward yields all entries of seq but its error, which it returns, and
// whether the reader wants more.
func forward[T any](seq iter.Seq2[T, error], yield func(T, error) bool) (last error, more bool) {
	for item, err := range seq {
		if err != nil {
			return err, true
		}
		if !yield(item, nil) {
			return nil, false
		}
	}
	return nil, true
}
