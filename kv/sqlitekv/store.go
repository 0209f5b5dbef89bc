package sqlitekv

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"sync"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
	"github.com/pawlkv/pawl/kv/internal/linked"
	"github.com/pawlkv/pawl/kv/witness"
)

// Store is a kv.Store in a file that any number of processes may have open. Its
// methods may be called from any number of goroutines.
type Store struct {
	set       settings
	gate      *gate
	headFile  *headFile
	witness   *witness.File
	turns     *turnQueue
	pool      *pool
	committer *committer
	follower  *follower
	closing   sync.Once
	failure   error // of closing

	kept, committed kv.Version // if the newest commits are missing
}

var (
	_ kv.Store       = (*Store)(nil)
	_ witness.Keeper = (*Store)(nil)
)

// Open opens the store in a file, which it makes if it does not exist; its
// directory must exist. Beside it there are files of SQLite and of the store,
// all named after it; where the path is a link, after what that leads to. Errors: ErrForeign, ErrNewer, ErrUnproven, ErrRewritten,
// kv.ErrCorrupt, kv.ErrDiskFull, kv.ErrUnusable (rights or the directory are missing,
// the disk is read-only, the file has several names), and kv.ErrUnavailable (a
// process that is stopped with a lock).
func Open(path string, options ...Option) (*Store, error) {
	s := &Store{set: defaults()}
	for _, option := range options {
		option(&s.set)
	}
	if err := checkLinked(&s.set, linked.Program()); err != nil {
		return nil, err
	}
	path, err := resolve(path)
	if err != nil {
		return nil, fmt.Errorf("sqlitekv: open the store: %w", err)
	}
	if _, err := inspect(path); err != nil { // before there is any file of ours
		return nil, fmt.Errorf("sqlitekv: open the store: %w", explained(path, err))
	}
	s.set.home, s.set.damage = &home{path: path}, &explainer{path: path}
	if err := readySides(path); err != nil {
		return nil, fmt.Errorf("sqlitekv: open the store: %w", err)
	}
	s.witness = witness.NewFile(path + witnessSuffix)
	s.gate = newGate(path)
	s.pool = newPool(path, &s.set)
	s.set.readers = &s.pool.readers
	s.follower = newFollower(path, &s.set, &s.pool.readers)
	s.committer = newCommitter(path, &s.set)
	s.committer.gate, s.committer.changed = s.gate, s.follower.committed
	s.committer.readers, s.committer.latest, s.committer.index = &s.pool.readers, s.pool.latest, &s.pool.index
	s.pool.writer = s.committer
	if err := s.open(path); err != nil {
		s.discard()
		err = explained(path, whyNotWritten(err, path, 0))
		return nil, fmt.Errorf("sqlitekv: open the store: %w", err)
	}
	go s.committer.run()
	return s, nil
}

func (s *Store) open(path string) (err error) {
	if err := prepare(path, &s.set, s.gate); err != nil {
		return err
	}
	if s.headFile, err = openHeadFile(path); err != nil {
		return err
	}
	if err := checkLog(path, s.headFile.newest()); err != nil {
		return err
	}
	s.committer.headFile = s.headFile
	board, err := openBoard(path)
	if err != nil {
		return err
	}
	s.turns = newTurnQueue(board, newGate(path), s.set.timer)
	s.committer.turns = s.turns
	if s.set.home.self, err = os.Stat(path); err != nil {
		return translate(err)
	}
	if err := s.committer.ready(); err != nil {
		return err
	}
	return s.checkHead()
}

// checkHead looks whether the newest commits are there.
func (s *Store) checkHead() error {
	noted := s.headFile.newest()
	snapshot := s.Snapshot()
	defer snapshot.Close()
	head, err := snapshot.Version(context.Background())
	if err != nil {
		return err
	}
	err = s.headFile.check(noted, head)
	if err == nil || !s.set.lostTail {
		return err
	}
	s.kept, s.committed = head, noted
	return nil
}

// Witness implements witness.Keeper: a file beside the store's, which is not
// there before a mark is saved.
func (s *Store) Witness() witness.Witness { return s.witness }

// LostTail tells a store that was opened although its newest commits are
// missing: the version to which it goes, and the one that was committed. Both
// are 0 if none is missing.
func (s *Store) LostTail() (kept, committed kv.Version) { return s.kept, s.committed }

// discard closes what a failed Open has opened.
func (s *Store) discard() {
	s.gate.close()
	s.committer.drop()
	s.pool.drain(true)
	if s.turns != nil {
		s.turns.close()
	}
	if s.headFile != nil {
		s.headFile.close()
	}
}

// Snapshot implements kv.Store. The view moves on, and holds nothing between two
// calls: it may be kept as long as one likes.
func (s *Store) Snapshot() kv.Snapshot { return &snapshot{pool: s.pool} }

// Commit implements kv.Store. It waits for other processes no longer than
// WithWait says.
func (s *Store) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := b.Check(s.Limits()); err != nil {
		return 0, err
	}
	if s.pool.isClosed() {
		return 0, kv.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if len(b.Writes) == 0 {
		return s.validate(ctx, b)
	}
	leave, err := s.turns.enter(ctx, b)
	if err != nil {
		return 0, err
	}
	defer leave()
	r := grouping.NewRequest(b)
	if !s.committer.lead(r) {
		if err := s.committer.queue.Add(r); err != nil {
			return 0, err
		}
	}
	return r.Wait(ctx)
}

// validate checks the reads of a batch without writes against the newest
// version.
func (s *Store) validate(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	view := &snapshot{pool: s.pool}
	defer view.Close()
	err := view.with(ctx, func(c *conn) error { return c.check(b, view.version, s.pool.latest) })
	if err != nil {
		return 0, err
	}
	return view.version, nil
}

// Turn implements kv.Store.
func (s *Store) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	return s.turns.take(ctx, keys)
}

// Watch implements kv.Store. What other processes commit it tells within about
// 20 ms, what this one does at once; changes from before the store was opened
// it knows as far as WithWatchLog says.
func (s *Store) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return s.follower.Watch(ctx, prefix, after)
}

// Limits implements kv.Store.
func (s *Store) Limits() kv.Limits {
	limits := kv.Embedded()
	limits.CommitIDs = s.set.commitIDs
	return limits
}

// Yield closes the files, for a process that is about to be suspended: open
// snapshots end (their reads are kv.ErrConflict), and when it returns nothing
// is locked. The next call opens the files again. Errors: the context's,
// kv.ErrClosed.
func (s *Store) Yield(ctx context.Context) error {
	done := make(chan error, 1)
	err := s.committer.queue.Run(func(closed bool) {
		if closed {
			done <- kv.ErrClosed
			return
		}
		done <- s.committer.drop()
	})
	if err != nil {
		return err
	}
	select {
	case err = <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.follower.pause()
	return errors.Join(err, s.pool.drain(false))
}

// Close implements kv.Store. It does not wait for other processes, but for a
// sync that is under way.
func (s *Store) Close() error {
	s.closing.Do(func() {
		s.turns.close()
		s.follower.close()
		s.committer.queue.Close()
		<-s.committer.ended
		s.committer.queue.Work(func() int { // a read may have its connection
			if err := s.committer.checkSides(); err != nil {
				s.set.logger.Warn("the store is closed, and not as it was opened", slog.Any("error", err))
			}
			return 0
		})
		s.failure = errors.Join(s.pool.drain(true), s.committer.drop())
		s.gate.close()
		s.headFile.close()
		if s.set.home.check() == nil {
			s.failure = errors.Join(s.failure, s.witness.Keep())
		}
		s.failure = errors.Join(s.failure, s.witness.Close())
	})
	return s.failure
}
