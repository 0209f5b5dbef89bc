package txn

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// errNeverApplied: the store no longer tells whether it knows the ID, at the
// first commit with it. So it does not, and the attempt can begin again.
var errNeverApplied = errors.New("txn: the commit ID was too old, nothing was applied")

// commit sends the attempt to the store and handles every outcome; see settle
// for what it returns.
func (c *call) commit(failure error) (again bool, err error) {
	tx := c.tx
	began, err := tx.began()
	tx.close()
	if err != nil {
		return c.unread(err)
	}
	for {
		// Write down what must hold and what is to be written.
		b, err := tx.batch(began, failure == nil)
		if err != nil {
			return false, err
		}
		// Commit until the outcome is known.
		v, err := c.resolved(b)
		switch {
		case err == nil:
			c.won(v, failure)
			return false, failure
		case errors.Is(err, errNeverApplied):
			c.refresh = true
			return c.lose(err)
		case !errors.Is(err, kv.ErrConflict):
			return false, err
		case failure != nil:
			c.stale()
			return c.lose(err)
		case !tx.onlyJoins(err):
			return c.lose(err)
		}
		// Only joined records changed: join again and commit that.
		if again, err := c.lose(err); !again {
			return false, err
		}
		if began, err = c.rejoin(); err != nil {
			return c.unread(err)
		}
	}
}

// unread handles an error of reading outside fn: a view that is gone is a
// lost attempt.
func (c *call) unread(err error) (again bool, _ error) {
	if errors.Is(err, kv.ErrConflict) {
		return c.lose(err)
	}
	return false, err
}

// began returns a version for the commit ID: that of the snapshot, or of the
// newest state that the DB has seen where the snapshot was never used.
func (tx *Tx) began() (kv.Version, error) {
	head := kv.Version(tx.db.head.Load())
	if head != 0 && !tx.fixed && !tx.call.refresh {
		return head, nil
	}
	return tx.beganAt(tx.snap)
}

func (tx *Tx) beganAt(snap kv.Snapshot) (kv.Version, error) {
	v, err := snap.Version(tx.ctx)
	if err != nil {
		return 0, tx.fail(err)
	}
	tx.db.saw(v)
	return v, nil
}

// batch returns what must hold and, unless fn failed, what is to be written.
func (tx *Tx) batch(began kv.Version, write bool) (*kv.Batch, error) {
	b := &kv.Batch{ID: kv.NewCommitID(began), Sync: !tx.nosync, Turn: tx.call.turn.ID}
	b.Reads = make([]kv.Read, 0, len(tx.order))
	for _, r := range tx.order {
		if !r.scanned && (r.seen || r.joined && write) {
			b.Reads = append(b.Reads, kv.Read{Key: r.key, Version: r.version})
		}
	}
	for _, s := range tx.scans {
		b.Scans = append(b.Scans, s.read)
	}
	if !write {
		return b, nil
	}
	b.Writes = make([]kv.Write, len(tx.queue))
	for i, w := range tx.queue {
		var err error
		if b.Writes[i], err = tx.seal(w); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// resolved commits b until the outcome is known, and returns it: a version,
// an error that says that nothing was applied, or an *UnknownError.
func (c *call) resolved(b *kv.Batch) (kv.Version, error) {
	v, err := c.send(b)
	switch {
	case err == nil:
		return v, nil
	case errors.Is(err, kv.ErrExpired):
		return 0, fmt.Errorf("%w: %w", errNeverApplied, err)
	case errors.Is(err, kv.ErrUndecided):
		return 0, c.withhold(err)
	case errors.Is(err, kv.ErrUnknown):
		return c.resolve(b, err)
	}
	return 0, fmt.Errorf("txn: commit: %w", err)
}

// resolve commits the identical batch again. Only a version and a conflict are
// final now: any other answer is about this call and says nothing of the first.
func (c *call) resolve(b *kv.Batch, cause error) (kv.Version, error) {
	c.report.Unknown++
	c.db.log.LogAttrs(c.ctx, slog.LevelWarn, "the outcome of a commit is unknown: committing the identical batch again", slog.Any("error", cause))
	wait := newBackoff(unknownWait, unknownWaitMax)
	for {
		if err := c.db.opts.sleep(c.ctx, wait.NextBackOff()); err != nil {
			return 0, c.withhold(fmt.Errorf("%w; the last answer was: %w", err, cause))
		}
		v, err := c.send(b)
		switch {
		case err == nil:
			c.db.log.LogAttrs(c.ctx, slog.LevelInfo, "the commit of unknown outcome was applied", slog.Uint64("version", uint64(v)))
			return v, nil
		case errors.Is(err, kv.ErrConflict):
			c.db.log.LogAttrs(c.ctx, slog.LevelInfo, "the commit of unknown outcome was not applied")
			return 0, fmt.Errorf("txn: commit: %w", err)
		case errors.Is(err, kv.ErrExpired), errors.Is(err, kv.ErrUndecided):
			return 0, c.withhold(err)
		case errors.Is(err, kv.ErrUnknown), errors.Is(err, kv.ErrUnavailable):
			cause = err // goes on until ctx ends
		default:
			return 0, c.withhold(err)
		}
	}
}

func (c *call) withhold(cause error) error {
	c.db.log.LogAttrs(c.ctx, slog.LevelError, "the outcome of a commit stays unknown: its result is withheld", slog.Any("error", cause))
	return &UnknownError{cause}
}

func (c *call) send(b *kv.Batch) (kv.Version, error) {
	start := time.Now()
	v, err := c.db.store.Commit(c.ctx, b)
	c.report.countCommit(start)
	return v, err
}

// won notes what a commit at a version stored.
func (c *call) won(v kv.Version, failure error) {
	c.release() // others wait for it
	c.db.saw(v)
	if failure != nil {
		return
	}
	c.report.Committed = true
	c.coolDown()
	for _, w := range c.tx.queue {
		if w.deleted {
			c.db.cache.set(w.key, 0, nil)
		} else {
			c.db.cache.set(w.key, v, w.value)
		}
	}
}

// coolDown forgets the losses of keys that were won at once, without a turn.
func (c *call) coolDown() {
	if c.report.Conflicts > 0 || c.report.Turns > 0 || c.db.hot.empty() {
		return
	}
	won := make([]string, len(c.tx.queue))
	for i, w := range c.tx.queue {
		won[i] = w.key
	}
	c.db.hot.won(won)
}

func (c *call) stale() {
	c.report.Stale++
	c.db.log.LogAttrs(c.ctx, slog.LevelInfo, "a failure computed from what is no longer current was dropped: the transaction runs again",
		slog.Int("attempt", c.report.Attempts))
}
