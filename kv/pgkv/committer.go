package pgkv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
)

// committer sends the commits of a store, one group at a time: those that come while
// one is on its way are the next. Its goroutine lives as long as there are any.
type committer struct {
	store *Store
	queue *grouping.Queue

	mu      sync.Mutex
	running bool
	ended   sync.WaitGroup

	waiting []*grouping.Request // of the goroutine
	told    kv.Version          // the newest version at which the space was trimmed
}

func newCommitter(s *Store) *committer {
	return &committer{store: s, queue: grouping.NewQueue()}
}

// Bounds of one statement.
const (
	maxGroup       = 128
	maxGroupBytes  = 2 * kv.EmbeddedBytes
	maxGroupChecks = 4096
)

func (c *committer) add(r *grouping.Request) error {
	if err := c.queue.Add(r); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running {
		c.running = true
		c.ended.Go(c.run)
	}
	return nil
}

// run commits until nobody waits.
func (c *committer) run() {
	for {
		items, _, closed := c.queue.Take()
		c.waiting = append(c.waiting, items...)
		if closed {
			for _, r := range c.waiting {
				r.Refuse(kv.ErrClosed)
			}
			c.waiting = nil
		}
		if len(c.waiting) == 0 {
			if c.rest() {
				return
			}
			continue
		}
		if group := c.next(); len(group) > 0 {
			c.send(group)
		}
	}
}

// rest ends the goroutine unless something has come.
func (c *committer) rest() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.queue.Bell():
		return false
	default:
		c.running = false
		return true
	}
}

// next takes a group of those who wait.
func (c *committer) next() (group []*grouping.Request) {
	size, checks := 0, 0
	for len(c.waiting) > 0 && len(group) < maxGroup {
		r := c.waiting[0]
		if r.Note == alone && len(group) > 0 {
			break
		}
		more, also := size+r.Batch.Size(), checks+r.Batch.Checks()
		if len(group) > 0 && (more > maxGroupBytes || also > maxGroupChecks) {
			break
		}
		c.waiting = c.waiting[1:]
		if r.Take() {
			group, size, checks = append(group, r), more, also
		}
		if r.Note == alone {
			break
		}
	}
	return group
}

// alone is the note of a request that is committed without others, since a group
// that it was in was refused: what is wrong may concern one of them.
const alone int64 = -1

// errAlone answers a request that is to be made again, alone.
var errAlone = errors.New("pgkv: to be committed alone")

// send commits a group as one statement, and answers everybody in it.
func (c *committer) send(group []*grouping.Request) {
	answers, err := c.exec(group)
	if err != nil && len(group) > 1 && kv.OutcomeOf(err) == kv.NotApplied {
		err = errAlone
	}
	if err != nil {
		answers = slices.Repeat([]answer{{err: err}}, len(group))
	}
	c.answer(group, answers)
}

// exec returns an answer for each of a group.
func (c *committer) exec(group []*grouping.Request) ([]answer, error) {
	statement := groupCall(c.store, group)
	for _, r := range group {
		r.Copied()
	}
	rows, err := c.store.db.exec(context.Background(), statement)
	if err != nil {
		return nil, err
	}
	answers, err := readAnswers(rows, len(group))
	if err != nil { // it was committed, and we cannot read what
		return nil, fmt.Errorf("%w: %w", kv.ErrUndecided, err)
	}
	return answers, nil
}

// answer tells everybody, those who watch too.
func (c *committer) answer(group []*grouping.Request, answers []answer) {
	var newest kv.Version
	for i, a := range answers {
		newest = max(newest, a.version)
		group[i].Answer(a.version, a.err)
	}
	if newest == 0 {
		return
	}
	c.store.follower.committed()
	c.store.db.bells.tell(c.store.space)
	if newest/trimEvery > c.told/trimEvery {
		c.told = newest
		go c.trim()
	}
}

// The changes that are kept for those who watch, and for views that rest, and after how
// many versions what is kept no longer is removed.
const (
	keptChanges = 4096
	trimEvery   = 1024
)

// trim removes what nobody looks for any more: outside of any commit.
func (c *committer) trim() {
	s := c.store
	statement := newCall("trim", s.space).number(int64(s.db.keep)).number(keptChanges)
	if _, err := s.db.exec(s.life, statement); err != nil && s.life.Err() == nil && !errors.Is(err, kv.ErrUnavailable) {
		s.db.set.logger.Warn("old commit IDs and changes could not be removed", slog.Any("error", err))
	}
}

// close refuses those who wait, and returns when nothing is on its way.
func (c *committer) close() {
	c.queue.Close()
	c.mu.Lock()
	if !c.running { // for what was added while the goroutine was going
		c.running = true
		c.ended.Go(c.run)
	}
	c.mu.Unlock()
	c.ended.Wait()
}
