package sqlitekv

import (
	"context"
	"fmt"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
)

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
