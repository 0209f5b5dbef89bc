package sqlitekv

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/ncruces/go-sqlite3"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/grouping"
	"github.com/pawlkv/pawl/kv/internal/watch"
)

// outcome is what a request is answered once the transaction is committed.
type outcome struct {
	version kv.Version
	err     error
	wrote   bool // at the next version: a commit, or a refusal
}

// apply commits a group as one transaction and answers it. After an error
// nobody was answered, and nothing was applied unless it is kv.ErrUnknown.
func (c *committer) apply(group []*grouping.Request) (err error) {
	clear(c.refusing)
	sync, size := false, 0
	for _, r := range group {
		// A refusal is final, and so must be on the disk.
		sync, size = sync || r.Batch.Sync || r.Batch.Again, size+r.Batch.Size()
	}
	defer func() {
		if err != nil {
			c.drop()
			err = c.set.damage.locked(whyNotWritten(err, c.path, size))
		}
	}()
	defer guard(&err)
	c.conn.wait(context.Background(), c.set.wait)
	if err := c.begin(sync); err != nil {
		return err
	}
	outcomes, was, head, err := c.write(group)
	if err != nil {
		return errors.Join(err, c.conn.rollback())
	}
	wrote := head != was
	if !wrote {
		if err := c.conn.rollback(); err != nil {
			return err
		}
	} else {
		before := c.index.before(was)
		if err := c.commit(group); err != nil {
			return err
		}
		c.index.committed(before, head)
	}
	c.remember(group, outcomes, head)
	c.answer(group, outcomes, head, wrote && sync)
	return nil
}

// begin begins to write, with or without a sync at the end.
func (c *committer) begin(sync bool) error {
	if sync != c.synchronous {
		if err := c.syncNext(sync); err != nil {
			return err
		}
	}
	return c.conn.run(qBeginImmediate)
}

// syncNext decides whether the next commits are synced. Those that are not stay
// in order all the same: the log is synced from its beginning to its end, and
// before any of it goes to the database.
func (c *committer) syncNext(sync bool) error {
	level := "NORMAL"
	if sync {
		level = "FULL"
	}
	c.synchronous = sync
	return c.conn.exec(`PRAGMA synchronous = ` + level)
}

// write validates and writes the batches one after the other, each at a version
// of its own, and returns the newest version before and after them.
func (c *committer) write(group []*grouping.Request) (outcomes []outcome, was, head kv.Version, err error) {
	if was, err = c.conn.number(qHead); err != nil {
		return nil, 0, 0, err
	}
	head = was
	c.latest.Newest(head)
	for _, r := range group {
		o, err := c.writeOne(r, head+1)
		if err != nil {
			return nil, 0, 0, err
		}
		outcomes = append(outcomes, o)
		if o.wrote {
			head++
		}
	}
	if head != was {
		err = errors.Join(c.ids.prune(c.conn, head), c.changes.prune(c.conn, head))
	}
	return outcomes, was, head, err
}

// writeOne answers a batch, or writes it at a version, or that it is refused if
// it came again. The error is one of writing.
func (c *committer) writeOne(r *grouping.Request, version kv.Version) (o outcome, err error) {
	// An ID that is known is answered before its reads are checked: its own writes
	// have made them stale, or they hold again.
	if o.version, err = c.conn.resolve(r.Batch.ID, version-1); o.version != 0 {
		return o, nil
	}
	if err == nil {
		err = c.conn.check(r.Batch, version-1, c.latest)
	}
	switch stale := (*kv.ConflictError)(nil); {
	case err == nil:
		return outcome{version: version, wrote: true}, c.conn.put(r.Batch, version)
	case errors.As(err, &stale) && r.Batch.Again:
		c.refusing[r] = struct{}{}
		return outcome{err: err, wrote: true}, c.conn.record(version, encodeRefused(r.Batch.ID), nil)
	case errors.Is(err, kv.ErrConflict), errors.Is(err, kv.ErrExpired):
		return outcome{err: err}, nil
	}
	return o, err
}

// put writes a batch at a version.
func (c *conn) put(b *kv.Batch, version kv.Version) error {
	for _, w := range b.Writes {
		var err error
		if w.Delete {
			err = c.run(qDelete, []byte(w.Key))
		} else {
			err = c.run(qPut, []byte(w.Key), version, w.Value)
		}
		if err != nil {
			return named(w.Key, err)
		}
	}
	return c.record(version, encodeID(b.ID), b.Writes)
}

// record writes what a version was: an ID, and what changed.
func (c *conn) record(version kv.Version, id []byte, writes []kv.Write) error {
	return errors.Join(c.run(qAddID, version, id), c.run(qAddChange, version, watch.EncodeChanges(writes)))
}

// remember notes what the group has written, up to a version.
func (c *committer) remember(group []*grouping.Request, outcomes []outcome, head kv.Version) {
	version := head
	for _, o := range outcomes {
		if o.wrote {
			version--
		}
	}
	for i, o := range outcomes {
		var writes []kv.Write // none if it was refused
		if o.err == nil {
			writes = group[i].Batch.Writes
		}
		if o.wrote {
			version++
			c.latest.Wrote(version, writes...)
		}
	}
}

// commit ends the transaction. Only an error of writing the log says for certain
// that nothing was applied: its last frame, which ends the transaction, is not
// whole then. The frames of a commit whose sync failed are all in the file.
func (c *committer) commit(group []*grouping.Request) error {
	err := c.conn.commit()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlite3.FULL), errors.Is(err, sqlite3.IOERR_WRITE):
		return errors.Join(err, c.conn.rollback())
	}
	c.fail(group, err)
	return fmt.Errorf("%w: %w", kv.ErrUnknown, err)
}

func (c *conn) commit() (err error) {
	defer guard(&err)
	return c.run(qCommit)
}

// heal makes commits possible again after one of unknown outcome. The log may
// have lost what an earlier sync did not reach, and a later sync would not
// tell: so everything goes to the database, and the log begins anew. What the
// failed commit has left in it is gone then, unless it is found applied.
func (c *committer) heal() error {
	if c.failed == nil {
		return nil
	}
	c.conn.wait(context.Background(), c.set.wait)
	if err := c.conn.checkpoint(true); err != nil {
		return err
	}
	c.failed, c.unknown = nil, nil
	return nil
}

// answer tells the outcomes, then does what need not be waited for.
func (c *committer) answer(group []*grouping.Request, outcomes []outcome, head kv.Version, synced bool) {
	if synced {
		c.note(head)
	}
	for i, r := range group {
		r.Answer(outcomes[i].version, outcomes[i].err)
	}
	c.changed()
	c.log.after(c)
}

func (c *committer) note(head kv.Version) {
	if err := c.headFile.note(head); err != nil {
		c.set.logger.Warn("the newest synced version was not noted", slog.Uint64("version", uint64(head)), slog.Any("error", err))
	}
}
