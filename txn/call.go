package txn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/pawlkv/pawl/kv"
)

// Waits between attempts. A commit takes about half a millisecond, a takeover
// by another process some 25 ms.
const (
	conflictWait    = 500 * time.Microsecond
	conflictWaitMax = 20 * time.Millisecond
	unknownWait     = 2 * time.Millisecond
	unknownWaitMax  = 500 * time.Millisecond
)

// call is one call of Do or View: a sequence of attempts.
type call struct {
	db     *DB
	ctx    context.Context
	mode   mode
	tx     *Tx // the current attempt
	report Report
	start  time.Time
	ended  bool

	blinded map[string]string // names, kept between attempts
	wait    *backoff.ExponentialBackOff

	turn    kv.Turn
	inTurn  bool
	turnFor []string // keys of the turn
	queue   bool     // begin the next attempt with a turn on lost
	lost    []string // all keys lost so far
	refresh bool     // ask the store for its version: head is too old
}

func begin(ctx context.Context, db *DB, m mode) (*call, error) {
	if nested(ctx, db.core) {
		return nil, ErrNested
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("txn: %w", err)
	}
	return &call{db: db, ctx: ctx, mode: m, start: time.Now()}, nil
}

// attempt begins the next attempt, in the turn if one is called for.
func (c *call) attempt() (*Tx, error) {
	if c.queue {
		if err := c.takeTurn(c.lost); err != nil {
			return nil, err
		}
	}
	c.report.Attempts++
	tx := &Tx{db: c.db, call: c, snap: c.db.store.Snapshot()}
	tx.ctx = context.WithValue(c.ctx, insideKey{c.db.core}, tx)
	c.tx = tx
	return tx, nil
}

// end releases everything and reports. It runs once.
func (c *call) end() {
	if c.ended {
		return
	}
	c.ended = true
	if c.tx != nil {
		c.tx.close()
	}
	c.release()
	c.report.Time = time.Since(c.start)
	c.db.totals.add(&c.report)
	c.db.opts.observe(c.report)
}

// settle ends the attempt: it commits, or validates, and says whether fn must
// run again. If not, err is what the caller gets, nil for fn's result.
func (c *call) settle(failure error) (again bool, err error) {
	tx := c.tx
	tx.done.Store(true)
	switch {
	case errors.Is(tx.fault, kv.ErrConflict): // the view is gone
		tx.close()
		return c.lose(tx.fault)
	case tx.fault != nil && errors.Is(failure, tx.fault):
		return false, failure
	case tx.fault != nil:
		return false, tx.fault
	case !tx.mustCommit(failure):
		c.report.Committed = failure == nil
		return false, failure
	}
	return c.commit(failure)
}

// mustCommit reports whether fn's answer needs the store's word: writes to be
// applied, or reads to be validated. See the package documentation.
func (tx *Tx) mustCommit(failure error) bool {
	if failure == nil && len(tx.queue) > 0 {
		return true
	}
	return (failure != nil || tx.cached) && tx.sawAnything()
}

func (tx *Tx) sawAnything() bool {
	for _, r := range tx.order {
		if r.seen {
			return true
		}
	}
	return len(tx.scans) > 0
}

// lose handles a lost attempt: evict, remember, wait or queue.
func (c *call) lose(cause error) (again bool, err error) {
	keys, prefixes := conflictOf(cause)
	c.report.Conflicts++
	c.report.countKinds(keys, prefixes)
	c.db.cache.evict(keys, prefixes)
	c.addLost(keys)
	c.addLost(c.turnFor)
	c.release()
	if c.db.log.Enabled(c.ctx, slog.LevelDebug) { // a conflict is no rare event
		c.db.log.LogAttrs(c.ctx, slog.LevelDebug, "conflict: the transaction runs again", slog.Any("keys", keys),
			slog.Any("prefixes", prefixes), slog.Int("attempt", c.report.Attempts))
	}
	if c.report.Conflicts >= c.db.opts.maxAttempts {
		return false, &StarvedError{c.report.Conflicts, cause}
	}
	c.escalate(keys)
	if c.queue {
		return true, nil // waiting for the turn is the wait
	}
	return true, c.pause()
}

// escalate decides whether the next attempt takes a turn.
func (c *call) escalate(keys []string) {
	if now := c.db.hot.lost(keys); len(now) > 0 {
		c.db.log.LogAttrs(c.ctx, slog.LevelInfo, "contention: transactions queue for these keys", slog.Any("keys", now))
	}
	c.queue = len(c.lost) > 0 && (c.report.Conflicts >= turnAfter || c.db.hot.any(c.lost))
}

func (c *call) addLost(keys []string) {
	for _, key := range keys {
		if !contains(c.lost, key) {
			c.lost = append(c.lost, key)
		}
	}
}

func contains(keys []string, key string) bool {
	for _, k := range keys {
		if k == key {
			return true
		}
	}
	return false
}

// pause waits for a jittered moment that grows with each loss.
func (c *call) pause() error {
	if c.wait == nil {
		c.wait = newBackoff(conflictWait, conflictWaitMax)
	}
	if err := c.db.opts.sleep(c.ctx, c.wait.NextBackOff()); err != nil {
		return fmt.Errorf("txn: %w", err)
	}
	return nil
}

// newBackoff waits anything between nothing and twice the interval, so that
// those who lost to each other do not meet again.
func newBackoff(first, most time.Duration) *backoff.ExponentialBackOff {
	b := &backoff.ExponentialBackOff{InitialInterval: first, MaxInterval: most, Multiplier: 2, RandomizationFactor: 1}
	b.Reset()
	return b
}

// conflictOf returns the names in a conflict.
func conflictOf(err error) (keys, prefixes []string) {
	var c *kv.ConflictError
	if errors.As(err, &c) {
		return c.Keys, c.Prefixes
	}
	return nil, nil
}
