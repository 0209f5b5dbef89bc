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
