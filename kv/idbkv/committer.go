//go:build js

package idbkv

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
)

// committer is the only one of this program that writes entries. Its fields belong to its
// goroutine, and to the steps of the transaction that it waits for.
type committer struct {
	store  *Store
	queue  *grouping.Queue
	ended  chan struct{}
	again  chan struct{} // has room for one: a turn of another tab is over
	closed bool

	waiting []*grouping.Request
	before  map[*grouping.Request][]uint64 // the turns of others that a batch waits for
	until   time.Time                      // when the first of those is over that some wait for
}

func newCommitter(s *Store) *committer {
	return &committer{
		store: s, queue: grouping.NewQueue(), ended: make(chan struct{}), again: make(chan struct{}, 1),
		before: make(map[*grouping.Request][]uint64),
	}
}

// nudge says that a turn may be over.
func (c *committer) nudge() {
	select {
	case c.again <- struct{}{}:
	default:
	}
}

// run commits until the queue is closed, or the connection gone.
func (c *committer) run() {
	defer close(c.ended)
	for {
		if c.collect(); c.closed {
			c.refuse(kv.ErrClosed, func(*grouping.Request) bool { return true })
			return
		}
		if c.store.conn.isGone() {
			c.refuse(c.store.conn.cause, func(*grouping.Request) bool { return true })
		}
		if !c.mayCommit() {
			c.rest()
			continue
		}
		c.round()
	}
}

// rest waits until there is something to do.
func (c *committer) rest() {
	var over <-chan time.Time
	if !c.until.IsZero() {
		timer := time.NewTimer(time.Until(c.until))
		defer timer.Stop()
		over = timer.C
	}
	gone := c.store.conn.gone
	if c.store.conn.isGone() {
		gone = nil
	}
	select {
	case <-c.queue.Bell():
	case <-over:
		c.until = time.Time{}
	case <-c.again:
		c.until = time.Time{}
	case <-gone:
	}
}

// collect takes what was added to the queue, and drops who has given up.
func (c *committer) collect() {
	items, jobs, closed := c.queue.Take()
	c.closed = c.closed || closed
	for _, job := range jobs {
		job(c.closed)
	}
	c.drop((*grouping.Request).Withdrawn)
	c.waiting = append(c.waiting, items...)
}

// drop forgets some of those who wait.
func (c *committer) drop(which func(*grouping.Request) bool) {
	c.waiting = slices.DeleteFunc(c.waiting, func(r *grouping.Request) bool {
		if !which(r) {
			return false
		}
		delete(c.before, r)
		return true
	})
}

// refuse answers some of those who wait.
func (c *committer) refuse(err error, which func(*grouping.Request) bool) {
	c.drop(func(r *grouping.Request) bool {
		if !which(r) {
			return false
		}
		r.Refuse(err)
		return true
	})
}

// Bounds of one transaction.
const (
	maxGroup       = 128
	maxGroupBytes  = 2 * kv.EmbeddedBytes
	maxGroupChecks = maxChecks
)

// alone marks a batch that was in a group that failed: what is wrong may concern one.
const alone = 1

// candidates are those that the next transaction may commit.
func (c *committer) candidates() (some []*grouping.Request, strict bool) {
	size, checks := 0, 0
	for _, r := range c.waiting {
		if !c.mayGo(r) {
			continue
		}
		if len(some) > 0 && (r.Note == alone || some[0].Note == alone || len(some) == maxGroup) {
			break
		}
		size, checks = size+r.Batch.Size(), checks+r.Batch.Checks()
		if len(some) > 0 && (size > maxGroupBytes || checks > maxGroupChecks) {
			break
		}
		some = append(some, r)
		strict = strict || r.Batch.Sync || r.Batch.Again // a refusal is final, and so must be on the disk
	}
	return some, strict
}

// round commits a group in one transaction.
func (c *committer) round() {
	some, strict := c.candidates()
	t, err := begin(c.store.conn.db, writing, strict, entriesStore, commitsStore, changesStore, turnsStore)
	if err != nil {
		err = c.store.conn.why(err)
		c.refuse(err, func(r *grouping.Request) bool { return slices.Contains(some, r) })
		return
	}
	g := newGroup(c, t, some)
	t.start(g.ask)
	c.await(t, g)
}

// await waits for the end of the transaction, and answers its batches. Until the
// browser lets the transaction at the store, nobody's batch is taken.
func (c *committer) await(t *tx, g *group) {
	patience := time.NewTimer(c.patience(g))
	defer patience.Stop()
	gone := c.store.conn.gone
	for {
		select {
		case end := <-t.done:
			end.lost = c.store.conn.lost
			g.answer(end.outcome(t.why))
			return
		case <-gone:
			if gone = nil; c.store.conn.lost { // no event may come any more
				t.end.lost = true
				select {
				case end := <-t.done:
					end.lost = true
					g.answer(end.outcome(t.why))
				default:
					g.answer(t.end.outcome(t.why))
				}
				return
			}
		case <-c.queue.Bell():
			if c.collect(); c.closed && !g.taken {
				t.abort(kv.ErrClosed)
			}
			if !g.taken && len(c.waiting) == 0 {
				t.abort(errNobody)
			}
		case <-patience.C:
			if c.late(t, g) {
				return
			}
			patience.Reset(c.patience(g))
		}
	}
}

var errNobody = errors.New("idbkv: nobody waits for it any more")

// leastPatience is how long passes between two looks at who has waited too long.
const leastPatience = 10 * time.Millisecond

// patience is how long until somebody has waited too long, or the browser has worked so.
func (c *committer) patience(g *group) time.Duration {
	switch {
	case !g.since.IsZero():
		return max(time.Until(g.since.Add(c.store.set.work)), leastPatience)
	case len(c.waiting) == 0:
		return min(c.store.set.wait, c.store.set.work)
	}
	return max(min(time.Until(c.waiting[0].Since.Add(c.store.set.wait)), c.store.set.work), leastPatience)
}

// late deals with those who have waited too long: before the transaction has begun it is
// taken back, and nothing was applied for certain. It reports whether nobody is
// left to wait for.
func (c *committer) late(t *tx, g *group) bool {
	wait, work := c.store.set.wait, c.store.set.work
	if !g.since.IsZero() { // the store is ours
		err := fmt.Errorf("%w: the browser has worked at a commit for %v", kv.ErrUnavailable, work)
		if time.Since(g.since) < work || t.abort(err) {
			return false
		}
		c.store.set.logger.Error("the outcome of a commit is unknown", slog.Duration("after", work))
		g.answer(t.end.outcome(err))
		return true
	}
	err := fmt.Errorf("%w: nothing could be committed for %v: is another tab frozen?", kv.ErrUnavailable, wait)
	since := time.Now().Add(-wait)
	c.refuse(err, func(r *grouping.Request) bool { return !r.Since.After(since) })
	if len(c.waiting) == 0 {
		t.abort(err)
	}
	return false
}
