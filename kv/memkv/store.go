package memkv

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/tidwall/btree"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/turns"
	"github.com/pawlkv/pawl/kv/internal/watch"
)

// Store is an empty kv.Store to begin with. Its methods may be called from any
// number of goroutines.
type Store struct {
	limits kv.Limits
	turns  *turns.Table
	hub    *watch.Hub

	mu     sync.Mutex
	closed bool
	head   kv.Version
	tree   *btree.Map[string, kv.Entry]
	ids    *idLog
}

var _ kv.Store = (*Store)(nil)

// Option changes how a Store is made.
type Option func(*settings)

type settings struct {
	limits   kv.Limits
	watchLog int
	timer    turns.After
}

// WithLimits makes the store take and keep no more than another engine, or than
// kv.Floor: for tests that what runs on it runs on any. Without it the limits are
// those of kv.Embedded.
func WithLimits(limits kv.Limits) Option { return func(s *settings) { s.limits = limits } }

// WithCommitIDs keeps the newest n commit IDs, whatever the limits are otherwise;
// n is at least 1.
func WithCommitIDs(n int) Option { return func(s *settings) { s.limits.CommitIDs = max(n, 1) } }

// WithWatchLog lets watchers fall n changes behind, and up to twice as many,
// before they must resync; n is at least 1.
func WithWatchLog(n int) Option { return func(s *settings) { s.watchLog = max(n, 1) } }

// WithTimer ends turns by another clock than the system's: after calls f when d
// has passed, unless stop is called before, which reports whether it came in
// time.
func WithTimer(after func(d time.Duration, f func()) (stop func() bool)) Option {
	return func(s *settings) { s.timer = after }
}

// New returns an empty store.
func New(options ...Option) *Store {
	set := settings{limits: kv.Embedded()}
	for _, option := range options {
		option(&set)
	}
	return &Store{
		limits: set.limits,
		turns:  turns.New(set.limits.TurnLife, set.timer),
		hub:    watch.New(0, set.watchLog),
		tree:   new(btree.Map[string, kv.Entry]),
		ids:    newIDLog(set.limits.CommitIDs),
	}
}

// Snapshot implements kv.Store.
func (s *Store) Snapshot() kv.Snapshot { return &snapshot{store: s} }

// Turn implements kv.Store.
func (s *Store) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	return s.turns.Take(ctx, keys...)
}

// Watch implements kv.Store.
func (s *Store) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return s.hub.Watch(ctx, prefix, after)
}

// Limits implements kv.Store.
func (s *Store) Limits() kv.Limits { return s.limits }

// Close implements kv.Store. It never fails.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.turns.Close()
	s.hub.Close()
	return nil
}

// view returns the tree as it is now and its version.
func (s *Store) view() (*btree.Map[string, kv.Entry], kv.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, 0, kv.ErrClosed
	}
	return s.tree.Copy(), s.head, nil
}

func (s *Store) checkOpen() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return kv.ErrClosed
	}
	return nil
}
