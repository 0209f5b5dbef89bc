package sharekv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pawlkv/pawl/internal/files"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sharekv/internal/wire"
)

// Store is a kv.Store in a directory, which any number of processes may have
// open. Its methods may be called from any number of goroutines.
type Store struct {
	settings
	path   string
	opener Opener
	client wire.ID // of this Store, wherever it connects

	ctx    context.Context // ends when the store is closed
	cancel context.CancelFunc
	known  atomic.Pointer[ID]   // which store it is, once we know
	term   atomic.Pointer[term] // nil if there is none; set under mu

	asked   atomic.Int64 // process that was asked last to be welcomed, 0 if not known
	yielded atomic.Bool  // nobody here wants to own the store

	mu        sync.Mutex
	closed    bool
	election  *election // under way
	elections sync.WaitGroup
	number    uint64 // of the last term
}

var (
	_ kv.Store  = (*Store)(nil)
	_ kv.Raiser = (*Store)(nil)
)

// Open opens the store in a directory, which it makes if it does not exist or
// is empty; the directory's parent must exist. If no process has it open, this
// one opens the engine; otherwise it connects to the one that has. Errors:
// kv.ErrUnavailable (the owner does not answer), kv.ErrInUse (another process
// has it open, and this system cannot share), kv.ErrUnusable (the lock file is also
// another directory's, which was copied by hard links), ErrStranger, those of the opener,
// and those of the file system as kinds of kv (kv.OfSystem).
func Open(dir string, opener Opener, options ...Option) (*Store, error) {
	set := defaults()
	for _, option := range options {
		option(&set)
	}
	// A link may lead elsewhere tomorrow.
	path, err := files.Resolve(dir)
	if err != nil {
		return nil, fmt.Errorf("sharekv: open the store: %w", kv.OfSystem(err))
	}
	set.name, set.limits = dir, opener.Limits()
	s := &Store{settings: set, path: path, opener: opener}
	rand.Read(s.client[:]) // never fails
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if _, err := s.begin(s.ctx, time.Time{}); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Path returns the directory's one name: absolute, and without links.
func (s *Store) Path() string { return s.path }

// Status says who owns the store.
type Status struct {
	Owner   bool   // this process does, through this Store
	PID     int    // of the owner, 0 if there is none
	Term    uint64 // another number each time that a process becomes the owner
	Clients int    // that are connected, if this is the owner
}

// Status returns who owns the store as far as this process knows. It asks
// nobody.
func (s *Store) Status() Status {
	t := s.term.Load()
	if t == nil || t.isOver() {
		return Status{}
	}
	return t.status()
}

// Yield lets another process own the store: it finishes the commits that are
// under way, closes the engine and gives the lock back. Before a process is
// suspended it should yield, or all others wait for it. Any call but a watch
// that goes on opens the store again, here or by connecting to the next owner,
// so there should be none until the process is resumed. Yield returns when
// nothing is held any more, or with ctx, and then goes on by itself.
func (s *Store) Yield(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return kv.ErrClosed
	}
	s.yielded.Store(true)
	t := s.term.Load()
	s.mu.Unlock()
	if t == nil {
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- t.end() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close implements kv.Store. The owner closes the engine, and another process
// takes over.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.elections.Wait()
	if t := s.term.Load(); t != nil {
		return t.end()
	}
	return nil
}
