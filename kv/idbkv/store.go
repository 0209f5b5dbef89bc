//go:build js

package idbkv

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
)

// Store is a kv.Store in a database of IndexedDB that any number of tabs may have open.
// Its methods may be called from any number of goroutines.
type Store struct {
	name       string
	set        settings
	conn       *connection
	locks      *locks
	formatLock *webLock
	turns      *turnQueue
	committer  *committer
	follower   *follower
	bell       *bell

	closing sync.Once
	closed  chan struct{}
}

var (
	_ kv.Store  = (*Store)(nil)
	_ kv.Raiser = (*Store)(nil)
)

func newStore(name string, set settings, l *locks, c *connection) *Store {
	s := &Store{name: name, set: set, conn: c, locks: l, closed: make(chan struct{})}
	s.turns = newTurnQueue(s)
	s.committer = newCommitter(s)
	s.follower = newFollower(s)
	s.bell = newBell(name, s.hear)
	return s
}

// discard closes what a failed Open has opened.
func (s *Store) discard() {
	s.bell.close()
	s.conn.end(kv.ErrClosed)
}

// hear takes what another store rings for.
func (s *Store) hear(what ring) {
	switch what {
	case committedRing:
		s.follower.nudge()
	case turnRing:
		s.committer.nudge()
	}
}

// Snapshot implements kv.Store. The view moves on, and holds nothing between two calls.
func (s *Store) Snapshot() kv.Snapshot { return &snapshot{store: s, busy: make(chan struct{}, 1)} }

// Commit implements kv.Store. It waits for other tabs no longer than WithWait says.
func (s *Store) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := b.Check(s.Limits()); err != nil {
		return 0, err
	}
	if err := s.ended(ctx); err != nil {
		return 0, err
	}
	if len(b.Writes) == 0 {
		return s.validate(ctx, b)
	}
	leave, err := s.turns.table.Enter(ctx, b)
	if err != nil {
		return 0, s.ofTurns(err)
	}
	defer leave()
	r := grouping.NewRequest(b)
	if err := s.committer.queue.Add(r); err != nil {
		return 0, err
	}
	version, err := r.Wait(ctx)
	if err == nil {
		s.follower.nudge()
	}
	return version, err
}

// validate checks the reads of a batch without writes against the newest version.
func (s *Store) validate(ctx context.Context, b *kv.Batch) (head kv.Version, err error) {
	err = s.read(ctx, []any{entriesStore, commitsStore}, func(t *tx) error {
		newest := askHead(t)
		check := newCheck(t, b.Reads, expectedOf(b.Scans))
		return check.run(func() error {
			head = newest.version()
			if stale := check.stale(nil); stale != nil {
				return stale
			}
			t.answer()
			return nil
		})
	})
	if err != nil {
		return 0, err
	}
	return head, nil
}

// ended returns why no call goes on, nil if it does.
func (s *Store) ended(ctx context.Context) error {
	select {
	case <-s.conn.gone:
		return s.conn.cause
	default:
		return ctx.Err()
	}
}

// ofTurns says why turns have ended: they end when the store is closed, and where it is
// gone that has a cause.
func (s *Store) ofTurns(err error) error {
	if err == kv.ErrClosed && s.conn.isGone() {
		return s.conn.cause
	}
	return err
}

// read makes a transaction that only reads, and returns once a step has said that all is
// read. What waits in the browser for another tab is given up in time.
func (s *Store) read(ctx context.Context, stores []any, first func(*tx) error) error {
	if err := s.ended(ctx); err != nil {
		return err
	}
	t, err := begin(s.conn.db, reading, false, stores...)
	if err != nil {
		return s.conn.why(err)
	}
	t.start(func() error { return first(t) })
	end, err := s.await(ctx, t, "nothing could be read")
	if err != nil || t.answered {
		return err
	}
	return end.ofRead(t.why)
}

// await waits for the end of a transaction, or for the answer of one that reads. What does
// not come in time it takes back, and says in the error what is late.
func (s *Store) await(ctx context.Context, t *tx, late string) (end ending, err error) {
	patience := time.NewTimer(s.set.wait)
	defer patience.Stop()
	select {
	case <-t.ready:
		return t.end, nil
	case end = <-t.done:
		end.lost = s.conn.lost
		return end, nil
	case <-patience.C:
		err = fmt.Errorf("%w: %s for %v: is another tab frozen?", kv.ErrUnavailable, late, s.set.wait)
	case <-ctx.Done():
		err = ctx.Err()
	case <-s.conn.gone:
		err = s.conn.cause
	}
	t.abort(err)
	return t.end, err
}

// Turn implements kv.Store.
func (s *Store) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	if err := s.ended(ctx); err != nil {
		return kv.Turn{}, err
	}
	turn, err := s.turns.take(ctx, keys)
	return turn, s.ofTurns(err)
}

// Watch implements kv.Store. What another tab commits it tells when that rings, and
// within a second where the ring was missed.
func (s *Store) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return s.follower.Watch(ctx, prefix, after)
}

// maxChecks is what one transaction looks at in well under a second.
const maxChecks = 1 << 12

// Limits implements kv.Store.
func (s *Store) Limits() kv.Limits {
	limits := kv.Embedded()
	limits.Checks = maxChecks
	limits.CommitIDs = s.set.commitIDs
	limits.TurnLife = turnLife
	return limits
}

// Close implements kv.Store. It waits for a commit that is under way.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.committer.queue.Close()
		<-s.committer.ended
		s.turns.close()
		s.conn.end(kv.ErrClosed)
		close(s.closed)
		s.follower.close()
		s.bell.close()
		s.formatLock.release()
		s.locks.close()
	})
	return nil
}
