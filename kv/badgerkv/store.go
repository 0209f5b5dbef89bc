package badgerkv

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/wire"
)

// Store is a kv.Store in a directory, which any number of processes may have
// open. Its methods may be called from any number of goroutines.
type Store struct {
	settings
	path   string
	client wire.ID // of this Store, wherever it connects

	ctx    context.Context // ends when the store is closed
	cancel context.CancelFunc
	known  atomic.Pointer[wire.ID] // which store it is, once we know
	now    atomic.Pointer[seat]    // the session, nil if there is none; set under mu

	yielded atomic.Bool // nobody here wants to own the store

	mu       sync.Mutex
	closed   bool
	search   *search // under way
	searches sync.WaitGroup
	number   uint64 // of the last session
}

var _ kv.Store = (*Store)(nil)

// Open opens the store in a directory, which it makes if it does not exist or
// is empty; the directory's parent must exist. If no process has it open, this
// one reads all of it and checks it; otherwise it connects to the one that
// owns it. Errors: kv.ErrCorrupt, kv.ErrUnavailable (the owner does not
// answer), kv.ErrInUse (another process has it open, and this system cannot
// share), ErrForeign, ErrNewer, ErrUnproven,
// Err32Bit, and those of the file system.
func Open(dir string, options ...Option) (*Store, error) {
	set := defaults()
	for _, option := range options {
		option(&set)
	}
	if err := checkProgram(&set); err != nil {
		return nil, err
	}
	path, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("badgerkv: open the store: %w", err)
	}
	set.name = dir
	s := &Store{settings: set, path: path}
	rand.Read(s.client[:]) // never fails
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if _, err := s.sit(s.ctx, time.Time{}); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Snapshot implements kv.Store. A snapshot that was read from is gone when the
// store gets another owner: its calls return kv.ErrConflict.
func (s *Store) Snapshot() kv.Snapshot { return &view{store: s} }

// Commit implements kv.Store. When the owner ends while a commit is under way,
// the batch goes to the next one, which knows whether it was applied. Of a
// batch whose sync failed the outcome is kv.ErrUnknown, and the store takes no
// more commits until its owner has opened it again.
func (s *Store) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := b.Check(s.Limits()); err != nil {
		return 0, err
	}
	again := s.again()
	var unsure error // why nobody knows what became of it
	for {
		now, err := again.sit(ctx)
		if err == nil {
			var version kv.Version
			if version, err = now.Commit(ctx, now.theirs(b)); err == nil {
				return version, nil
			}
		}
		if !again.lost(ctx, now, err) {
			return 0, s.verdict(ctx, err, unsure)
		}
		if errors.Is(err, kv.ErrUnknown) {
			unsure = err
		}
		if err := again.goOn(err); err != nil {
			return 0, s.verdict(ctx, err, unsure)
		}
	}
}

// verdict returns the outcome of a commit that failed, and that may have been
// applied before by an owner that is gone, if unsure says so: then only a
// conflict tells more.
func (s *Store) verdict(ctx context.Context, err, unsure error) error {
	switch {
	case unsure == nil, errors.Is(err, kv.ErrConflict), errors.Is(err, kv.ErrUnknown):
		return s.answer(err)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", kv.ErrUnknown, ctx.Err())
	}
	return fmt.Errorf("%w: %v", kv.ErrUnknown, err)
}

// Limits implements kv.Store.
func (s *Store) Limits() kv.Limits { return s.settings.limits() }

// Turn implements kv.Store. A turn ends with its owner.
func (s *Store) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	again := s.again()
	for {
		now, err := again.sit(ctx)
		if err == nil {
			var turn kv.Turn
			if turn, err = now.Turn(ctx, keys...); err == nil {
				return now.ours(turn), nil
			}
		}
		if !again.lost(ctx, now, err) {
			return kv.Turn{}, s.answer(err)
		}
		if err := again.goOn(err); err != nil {
			return kv.Turn{}, err
		}
	}
}

// seatShift leaves room for the number of an owner's turns below that of the
// session.
const seatShift = 48

// ours makes an owner's turn one of this store.
func (s *seat) ours(turn kv.Turn) kv.Turn {
	turn.ID |= kv.TurnID(s.number << seatShift)
	return turn
}

// theirs returns the batch with the turn as the owner knows it; one that a
// former owner has granted is none.
func (s *seat) theirs(b *kv.Batch) *kv.Batch {
	if b.Turn == 0 {
		return b
	}
	batch := *b
	batch.Turn = 0
	if b.Turn>>seatShift == kv.TurnID(s.number<<seatShift)>>seatShift {
		batch.Turn = b.Turn & (1<<seatShift - 1)
	}
	return &batch
}

// Watch implements kv.Store. It goes on with the next owner. An owner knows
// what changed since it opened the store, and of that the newest changes; for
// anything before it says resync.
func (s *Store) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		head := after
		s.yielded.Store(false) // one that goes on does not
		for {
			err := s.watch(ctx, prefix, &head, yield)
			if err == nil {
				return
			}
			if !errors.Is(err, errAgain) {
				yield(kv.Change{}, s.answer(err))
				return
			}
		}
	}
}

// errAgain: the owner of a watch is gone.
var errAgain = errors.New("badgerkv: watch again")

// watch watches with one owner, and moves head on. It returns nil when the
// reader has enough.
func (s *Store) watch(ctx context.Context, prefix string, head *kv.Version, yield func(kv.Change, error) bool) error {
	now, err := s.follow(ctx)
	if err != nil {
		return ofStore(ctx, err)
	}
	for change, err := range now.Watch(ctx, prefix, *head) {
		switch {
		case s.isClosed():
			return kv.ErrClosed
		case s.again().lost(ctx, now, err):
			return errAgain
		case err != nil:
			return err
		case !yield(change, nil):
			return nil
		}
		*head = change.Head
	}
	return errAgain
}

// Flatten erases what was deleted or overwritten from the store's files: Badger
// keeps it until it happens to merge them. It rewrites much of the store, and
// reads and commits wait meanwhile. What open snapshots still see is not
// erased. Errors: the context's (before it begins), kv.ErrClosed,
// kv.ErrUnavailable, or why Badger failed.
func (s *Store) Flatten(ctx context.Context) error {
	again := s.again()
	for {
		now, err := again.sit(ctx)
		if err == nil {
			err = now.Flatten(ctx)
		}
		if err == nil || !again.lost(ctx, now, err) {
			return s.answer(err)
		}
		if err := again.goOn(err); err != nil {
			return err
		}
	}
}

// Status says who owns the store.
type Status struct {
	Owner   bool   // this process does, through this Store
	PID     int    // of the owner, 0 if there is none
	Epoch   uint64 // another number each time that a process becomes the owner
	Clients int    // that are connected, if this is the owner
}

// Status returns who owns the store as far as this process knows. It asks
// nobody.
func (s *Store) Status() Status {
	now := s.now.Load()
	if now == nil || now.isOver() {
		return Status{}
	}
	return now.status()
}

// Yield lets another process own the store: it finishes the commits that are
// under way, closes Badger and gives the lock back. Before a process is
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
	now := s.now.Load()
	s.mu.Unlock()
	if now == nil {
		return nil
	}
	done := make(chan error, 1)
	go func() { done <- now.end() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close implements kv.Store. The owner writes what is in memory to the tables,
// which takes up to a second, and another process takes over.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.searches.Wait()
	if now := s.now.Load(); now != nil {
		return now.end()
	}
	return nil
}

func (s *Store) isClosed() bool { return s.ctx.Err() != nil }
