package sqlitekv

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
)

// Sizes of the log. From softLog on, each softLog more is brought to the
// database as far as readers allow; from hardLog on their ends are waited for a
// little, so that the log can begin anew. A log that has begun anew is cut to
// keepLog.
const (
	softLog = 4 << 20
	hardLog = 4 * softLog
	keepLog = 2 * softLog
	// readersEnd is how long a commit that is over keeps others from beginning
	// theirs while it waits for readers.
	readersEnd = 20 * time.Millisecond
)

// checkpoints decides when the log goes to the database.
type checkpoints struct{ next int }

// after looks at the log after a commit. Nothing depends on its success.
func (k *checkpoints) after(c *committer) {
	used := c.conn.logged
	if used < softLog {
		k.next = softLog
		return
	}
	if k.next = min(k.next, used+softLog); used < k.next {
		return
	}
	c.conn.wait(context.Background(), readersEnd)
	if err := c.conn.checkpoint(used >= hardLog); err != nil {
		c.set.logger.Debug("the log stays as long as it is", slog.Int("bytes", used), slog.Any("error", err))
	}
	k.next = used + softLog
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
