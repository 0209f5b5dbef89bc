package sqlitekv

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
	"github.com/pawlkv/pawl/kv/internal/latest"
)

// committer is the only one of this process that writes to the database. All but queue
// and ended belongs to who works at the queue: its goroutine, or the caller who leads.
type committer struct {
	path     string
	set      *settings
	queue    *grouping.Queue
	ended    chan struct{}
	gate     *gate
	turns    *turnQueue
	headFile *headFile
	changed  func() // tells that something was committed
	readers  *readers
	latest   *latest.Entries
	index    *indexHead

	waiting []*grouping.Request
	closed  bool

	conn        *conn // nil when it has to be opened
	sides       sides // beside its file
	synchronous bool
	log         checkpoints
	ids         newestRows
	changes     newestRows

	refusing map[*grouping.Request]struct{} // of the group: what is recorded as refused

	failed  error                    // of a commit whose outcome is unknown
	unknown map[kv.CommitID]struct{} // of that commit
}

func newCommitter(path string, set *settings) *committer {
	return &committer{
		path: path, set: set, queue: grouping.NewQueue(), ended: make(chan struct{}),
		refusing: make(map[*grouping.Request]struct{}),
		ids:      newestRows{keep: set.commitIDs, min: qOldestID, dropUpTo: qDropIDs},
		changes:  newestRows{keep: set.watchLog, min: qOldestChange, dropUpTo: qDropChanges},
	}
}

// run commits until the queue is closed.
func (c *committer) run() {
	defer close(c.ended)
	for some, closed := false, false; !closed; {
		if !some {
			<-c.queue.Bell()
		}
		c.queue.Work(func() int {
			waiting := c.work()
			some, closed = len(c.waiting) > 0, c.closed
			return waiting
		})
	}
}

// work runs the jobs, and commits a group of those who wait.
func (c *committer) work() (waiting int) {
	if c.collect(); !c.closed && len(c.waiting) > 0 && c.enter() {
		waiting = len(c.waiting)
		if c.turns.taken() { // it was granted while we waited
			c.afterTurn()
		} else {
			c.round()
			c.gate.release()
		}
	}
	// That the queue is closed is told once, perhaps while we waited for the gate.
	if c.closed {
		c.refuse(kv.ErrClosed, time.Time{})
	}
	return waiting
}

// lead commits one batch in the goroutine of its caller, if nobody else commits, here
// or in another process, and if there is nothing to do that takes longer: whoever has
// to wait can give up, which he cannot while he does it himself.
func (c *committer) lead(r *grouping.Request) bool {
	return c.queue.Lead(func() bool {
		if len(c.waiting) > 0 || c.conn == nil || c.failed != nil || c.log.isNear(c, r.Batch.Size()) || !c.gate.try() {
			return false
		}
		defer c.gate.release()
		taken := c.turns.taken()
		if !taken {
			c.waiting = append(c.waiting, r)
			c.round()
		}
		return !taken
	}, func() { c.lose(r) })
}

// lose notes a panic in the middle of a commit, which may have been written or not.
func (c *committer) lose(r *grouping.Request) {
	c.waiting = nil
	c.drop()
	c.fail([]*grouping.Request{r}, errors.New("a panic in the middle of a commit"))
}

// afterTurn commits a group after the turn of another process on the whole store.
func (c *committer) afterTurn() {
	c.gate.release()
	defer c.turns.behind()()
	if c.enter() {
		c.round()
		c.gate.release()
	}
}

// collect takes what was added to the queue, and drops who has given up.
func (c *committer) collect() {
	items, jobs, closed := c.queue.Take()
	c.closed = c.closed || closed
	for _, job := range jobs {
		job(closed)
	}
	c.waiting = append(slices.DeleteFunc(c.waiting, (*grouping.Request).Withdrawn), items...)
}

// refuse answers those who wait since a time or longer; all, if it is zero.
func (c *committer) refuse(err error, since time.Time) {
	c.waiting = slices.DeleteFunc(c.waiting, func(r *grouping.Request) bool {
		late := since.IsZero() || !r.Since.After(since)
		if late {
			r.Refuse(err)
		}
		return late
	})
}

// enter waits for the gate, and reports whether it is ours. Meanwhile more may
// come to wait, and those who have waited too long are refused.
func (c *committer) enter() bool {
	held := c.gate.ask()
	for {
		patience := time.NewTimer(time.Until(c.waiting[0].Since.Add(c.set.wait)))
		select {
		case err := <-held:
			patience.Stop()
			if err != nil {
				c.refuse(fmt.Errorf("the lock of the store: %w", translate(err)), time.Time{})
				c.gate.release()
			}
			return err == nil
		case <-c.queue.Bell():
			c.collect()
		case <-patience.C:
			c.refuse(keptFor(c.path, c.set.wait),
				time.Now().Add(-c.set.wait))
		}
		patience.Stop()
		if c.closed || len(c.waiting) == 0 {
			c.gate.release()
			return false
		}
	}
}

// Bounds of one transaction.
const (
	maxGroup      = 128
	maxGroupBytes = 2 * kv.EmbeddedBytes
)

// round commits a group of those who wait. The gate is ours.
func (c *committer) round() {
	if err := c.ready(); err != nil {
		c.refuse(err, time.Time{})
		return
	}
	if err := c.heal(); err != nil {
		c.refuseUnhealed(err)
		return
	}
	var group []*grouping.Request
	size := 0
	for len(c.waiting) > 0 && len(group) < maxGroup && size < maxGroupBytes {
		if r := c.waiting[0]; r.Take() {
			group = append(group, r)
			size += r.Batch.Size()
		}
		c.waiting = c.waiting[1:]
	}
	if len(group) == 0 {
		return
	}
	err := c.apply(group)
	if err != nil && len(group) > 1 && !errors.Is(err, kv.ErrUnknown) && !isLocked(err) {
		c.oneByOne(group)
		return
	}
	if err != nil {
		for _, r := range group {
			r.Answer(0, c.notWritten(r, err))
		}
	}
}

// oneByOne commits a group that failed, of which nothing was applied: what is
// wrong may concern one of them. A lock that another process has kept for as long
// as they wait concerns all, and is not waited for once more for each.
func (c *committer) oneByOne(group []*grouping.Request) {
	for i, r := range group {
		if err := c.applyAlone(r); isLocked(err) && !errors.Is(err, kv.ErrUnknown) {
			for _, r := range group[i+1:] {
				r.Answer(0, err)
			}
			return
		}
	}
}

// notWritten is the answer to a request whose transaction failed. A refusal that
// could not be recorded is none: another try may be on its way.
func (c *committer) notWritten(r *grouping.Request, err error) error {
	if _, refused := c.refusing[r]; refused && !errors.Is(err, kv.ErrUnknown) {
		return fmt.Errorf("%w: that it is refused could not be recorded: %w", kv.ErrUnknown, err)
	}
	return err
}

// applyAlone commits what was in a group that failed. What failed before it has
// closed the connection, and may have left a commit of unknown outcome.
func (c *committer) applyAlone(r *grouping.Request) error {
	err := c.ready()
	if err == nil {
		if unhealed := c.heal(); unhealed != nil {
			err = c.whileUnhealed(r, unhealed)
		}
	}
	if err == nil {
		if err = c.apply([]*grouping.Request{r}); err != nil {
			err = c.notWritten(r, err)
		}
	}
	if err != nil {
		r.Answer(0, err)
	}
	return err
}

// refuseUnhealed answers those who wait while a commit's outcome is unknown.
func (c *committer) refuseUnhealed(err error) {
	for _, r := range c.waiting {
		if !r.Take() {
			continue
		}
		r.Answer(0, c.whileUnhealed(r, err))
	}
	c.waiting = nil
}

// whileUnhealed is the answer to a commit while that of another, or its own of
// an earlier time, is unknown.
func (c *committer) whileUnhealed(r *grouping.Request, err error) error {
	if _, unsure := c.unknown[r.Batch.ID]; unsure {
		return fmt.Errorf("%w: %w", kv.ErrUnknown, c.failed)
	}
	return fmt.Errorf("%w: a sync has failed: %w", kv.ErrUnavailable, err)
}

// ready prepares the connection.
func (c *committer) ready() (err error) {
	if err = c.set.home.check(); err != nil {
		return err
	}
	if c.conn != nil {
		return c.checkSides()
	}
	c.sides = sides{}
	c.set.readers.begin() // for the tables, too, which are read after it is open
	defer c.set.readers.end()
	if c.conn, err = openConn(c.path, c.set); err != nil {
		return err
	}
	if err := errors.Join(c.conn.prepareAll(), c.syncNext(true)); err != nil {
		return errors.Join(err, c.drop())
	}
	c.index.open(c.path)
	return errors.Join(makePrivate(c.path), c.checkSides())
}

// drop closes the connection. The next round opens another.
func (c *committer) drop() error {
	if c.conn == nil {
		return nil
	}
	c.index.close()
	conn := c.conn
	c.conn = nil
	return conn.close()
}

// lend lends the connection for a read, if nobody commits. Nothing is committed before
// it is taken back.
func (c *committer) lend() *conn {
	if c == nil || !c.queue.Pause() {
		return nil
	}
	if c.conn == nil || c.failed != nil {
		c.queue.Resume()
		return nil
	}
	c.conn.lent = true
	return c.conn
}

// takeBack takes back what was lent. The next commit opens another in the place of one
// that is not usable.
func (c *committer) takeBack(usable bool) {
	defer c.queue.Resume()
	c.conn.lent = false
	if !usable {
		c.drop()
	}
}

// fail notes a commit of unknown outcome.
func (c *committer) fail(group []*grouping.Request, err error) {
	c.failed = err
	if c.unknown == nil {
		c.unknown = make(map[kv.CommitID]struct{})
	}
	for _, r := range group {
		c.unknown[r.Batch.ID] = struct{}{}
	}
	c.set.logger.Error("the outcome of a commit is unknown", slog.Any("error", err))
}
