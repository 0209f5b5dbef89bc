package pgkv

import (
	"context"
	"errors"
	"iter"
	"sync"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
)

// Store is a space: a kv.Store that any number of processes may have open. Its methods
// may be called from any number of goroutines.
type Store struct {
	db        *DB
	space     string
	name      error           // why it is no name of a space
	life      context.Context // ends with the store
	die       context.CancelFunc
	committer *committer
	turns     *turnQueue
	follower  *follower
	lineage   *lineage
	ending    sync.Once
}

var _ kv.Store = (*Store)(nil)

func newStore(d *DB, space string) *Store {
	s := &Store{db: d, space: space, name: checkName(space)}
	s.life, s.die = context.WithCancel(context.Background())
	s.turns = newTurnQueue(s)
	s.committer = newCommitter(s)
	s.follower = newFollower(s)
	s.lineage = newLineage(s)
	return s
}

// usable returns why no call can be made.
func (s *Store) usable(ctx context.Context) error {
	switch {
	case s.life.Err() != nil:
		return kv.ErrClosed
	case s.name != nil:
		return s.name
	}
	return ctx.Err()
}

// read calls a function that changes nothing, until the store closes.
func (s *Store) read(ctx context.Context, c *call) ([]row, error) {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	err := s.lineage.learn(within)
	var rows []row
	if err == nil {
		rows, err = s.db.read(within, c)
	}
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	return rows, err
}

// Snapshot implements kv.Store. The view moves on, and holds nothing between two
// calls: it may be kept as long as one likes.
func (s *Store) Snapshot() kv.Snapshot { return newSnapshot(s) }

// Commit implements kv.Store. A caller whose context ends while the commit is on its way
// has kv.ErrUnknown.
func (s *Store) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := b.Check(s.Limits()); err != nil {
		return 0, err
	}
	if err := s.usable(ctx); err != nil {
		return 0, err
	}
	if len(b.Writes) == 0 {
		return s.validate(ctx, b)
	}
	if err := s.learn(ctx); err != nil {
		return 0, err
	}
	leave, err := s.turns.table.Enter(ctx, b)
	if err != nil {
		return 0, err
	}
	defer leave()
	return s.commit(ctx, b)
}

// learn makes sure that it is known which server this is.
func (s *Store) learn(ctx context.Context) error {
	within, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.life, cancel)()
	err := s.lineage.learn(within)
	if err := s.usable(ctx); err != nil {
		return err
	}
	return err
}

// commit hands the batch to the committer, and again each time that it has waited for a
// turn of another process: no longer than for those that it has met the first time.
func (s *Store) commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	wait := s.turns.begin()
	defer wait.end()
	for note := int64(0); ; {
		r := grouping.NewRequest(b)
		r.Note = note
		if err := s.committer.add(r); err != nil {
			return 0, err
		}
		version, err := r.Wait(ctx)
		if errors.Is(err, errAlone) {
			note = alone
			continue
		}
		stands, waits := errors.AsType[*standsBehind](err)
		if !waits {
			return version, err
		}
		note = stands.ticket
		if _, err := wait.pause(ctx); err != nil {
			return 0, err
		}
	}
}

// validate checks the reads of a batch without writes against the newest version.
func (s *Store) validate(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	rows, err := s.read(ctx, addChecks(newCall("holds", s.space), b))
	if err != nil {
		return 0, err
	}
	var head kv.Version
	var stale kv.ConflictError
	for _, r := range rows {
		switch name := string(r[2]); r.binary(0) {
		case 0:
			head = kv.Version(r.binary(1))
		case 1:
			stale.Keys = append(stale.Keys, name)
		case 2:
			stale.Prefixes = append(stale.Prefixes, name)
		}
	}
	if len(stale.Keys)+len(stale.Prefixes) > 0 {
		return 0, &stale
	}
	return head, nil
}

// Turn implements kv.Store. Turns on a key go around among processes.
func (s *Store) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	if err := s.usable(ctx); err != nil {
		return kv.Turn{}, err
	}
	return s.turns.take(ctx, keys)
}

// Watch implements kv.Store. What others commit it tells as soon as the notification of
// it comes, or else within the time that WithPoll says.
func (s *Store) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	if s.name != nil {
		return func(yield func(kv.Change, error) bool) { yield(kv.Change{}, s.name) }
	}
	return s.follower.Watch(ctx, prefix, after)
}

// Limits implements kv.Store.
func (s *Store) Limits() kv.Limits {
	limits := kv.Embedded()
	limits.CommitIDs = s.db.keep
	return limits
}

// Close implements kv.Store. It waits for a commit that is on its way, and not for
// longer than WithWait says.
func (s *Store) Close() error {
	s.end()
	s.db.forget(s)
	return nil
}

func (s *Store) end() {
	s.ending.Do(func() {
		s.die()
		s.turns.close()
		s.follower.close()
		s.committer.close()
		s.lineage.close()
	})
}
