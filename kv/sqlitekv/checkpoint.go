package sqlitekv

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
)

// Sizes of the log, in bytes. When it has grown to softLog it is brought to the
// database, which waits for nobody, and the next commit begins it anew unless
// somebody reads in it at that moment. So each logStep more is tried again, and
// readers are waited for; since reads are short, and those that come find all in
// the database, that ends soon. From hardLog on somebody is in one read for long.
// A log that begins anew is cut to softLog.
const (
	softLog = 4 << 20
	logStep = softLog / 4
	hardLog = 4 * softLog
	// readersEnd is how long a commit that is over keeps others from beginning
	// theirs while it waits for readers, blindWait where it cannot know whether it
	// has waited for the same ones before, and stuckWait if it has.
	readersEnd = 100 * time.Millisecond
	blindWait  = 20 * time.Millisecond
	stuckWait  = time.Millisecond
	// nearPages are more than a commit mostly writes beside its values.
	nearPages = 64
)

// checkpoints decides when the log goes to the database.
type checkpoints struct {
	next  int       // size
	stuck []reading // that were waited for in vain
	blind bool      // likewise, for somebody who is not seen
}

// after looks at the log after a commit. Nothing depends on its success.
func (k *checkpoints) after(c *committer) {
	used, soft := c.conn.logged, c.set.softLog
	if used < soft {
		*k = checkpoints{next: soft}
		return
	}
	// Another process may have begun the log anew since our last look.
	if k.next = min(k.next, used+logStep); used < k.next {
		return
	}
	k.next = used + logStep
	if used < soft+logStep {
		c.conn.wait(context.Background(), stuckWait)
		k.note(c, c.conn.checkpoint(false))
		return
	}
	c.conn.wait(context.Background(), k.patience(c))
	before := c.readers.now()
	err := c.conn.checkpoint(true)
	k.note(c, err)
	if k.stuck, k.blind = nil, false; err == nil {
		return
	}
	k.stuck = c.readers.still(before)
	k.blind = len(k.stuck) == 0
	if used >= hardLog {
		c.set.logger.Warn("the log grows: a process is in the middle of a read: is it stopped?",
			slog.Any("processes", processesOf(k.stuck)), slog.Int("bytes", used))
	}
}

// isNear reports whether a commit of a size may be the one after which something is to
// be done with the log.
func (k *checkpoints) isNear(c *committer, size int) bool {
	return c.conn.logged+2*size+nearPages*pageSize >= max(k.next, c.set.softLog)
}

// patience is how long readers are waited for.
func (k *checkpoints) patience(c *committer) time.Duration {
	switch {
	case !seesLocks, k.blind:
		return blindWait
	case len(c.readers.still(k.stuck)) > 0:
		return stuckWait
	}
	return readersEnd
}

func (k *checkpoints) note(c *committer, err error) {
	if err != nil {
		c.set.logger.Debug("the log stays as long as it is", slog.Int("bytes", c.conn.logged), slog.Any("error", err))
	}
}

// checkpoint brings the log to the database as far as readers allow; with
// restart it waits for them, and fails unless it has done all.
func (c *conn) checkpoint(restart bool) (err error) {
	defer guard(&err)
	mode := sqlite3.CHECKPOINT_PASSIVE
	if restart {
		mode = sqlite3.CHECKPOINT_RESTART
	}
	frames, done, err := c.db.WALCheckpoint("main", mode)
	if err == nil && restart && done < frames {
		return fmt.Errorf("%w: readers hold it", kv.ErrUnavailable)
	}
	return translate(err)
}

// LogState is how the log stands.
type LogState struct {
	Bytes int64
	Long  bool // longer than it should be
	// Readers are the processes that have been in the middle of one read while we
	// looked, and keep a long log from beginning anew: likely they are stopped.
	// Where the system does not say who locks a file nobody is named.
	Readers []int
}

// lookAgain is the time between two looks at a log that is long.
const lookAgain = 200 * time.Millisecond

// Log tells how long the log is, and if it is longer than it should be, whom it
// waits for. Errors: the context's, kv.ErrClosed, kv.ErrUnavailable.
func (s *Store) Log(ctx context.Context) (LogState, error) {
	if s.pool.isClosed() {
		return LogState{}, kv.ErrClosed
	}
	info, err := os.Stat(s.pool.path + logSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return LogState{}, nil
	}
	if err != nil {
		return LogState{}, translate(err)
	}
	state := LogState{Bytes: info.Size(), Long: info.Size() >= hardLog}
	if !state.Long {
		return state, nil
	}
	before := s.pool.readers.now()
	select {
	case <-time.After(lookAgain):
	case <-ctx.Done():
		return state, ctx.Err()
	}
	state.Readers = processesOf(s.pool.readers.still(before))
	return state, nil
}

// Flatten erases what was deleted or overwritten from the store's files: it
// brings the log to the database, where such bytes are overwritten with zeros,
// and cuts the log to nothing. Commits wait meanwhile. Errors: the context's,
// kv.ErrClosed, and kv.ErrUnavailable if views that are open, here or in other
// processes, last longer than WithWait.
func (s *Store) Flatten(ctx context.Context) error {
	if s.pool.isClosed() {
		return kv.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// A gate of its own: the committer goes on, and waits for it as for that of
	// another process.
	path := s.committer.path
	g := newGate(path)
	defer g.close()
	if err := enter(g, &s.set); err != nil {
		return err
	}
	defer g.release()
	c, err := openConn(path, &s.set)
	if err != nil {
		return err
	}
	defer c.close()
	c.wait(ctx, s.set.wait)
	return c.truncate(ctx)
}

// truncate brings all of the log to the database and empties it.
func (c *conn) truncate(ctx context.Context) (err error) {
	defer guard(&err)
	if err := c.trust(); err != nil {
		return err
	}
	_, _, err = c.db.WALCheckpoint("main", sqlite3.CHECKPOINT_TRUNCATE)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("sqlitekv: flatten: %w", translate(err))
	}
	return nil
}
