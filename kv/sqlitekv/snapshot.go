package sqlitekv

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// snapshot is a read transaction, begun by the first call, which ends when the
// snapshot is closed or has had its time.
type snapshot struct {
	pool *pool

	mu      sync.Mutex // held for the time of a read
	conn    *conn      // nil before the first call, and after the transaction
	version kv.Version
	timer   *time.Timer
	gone    bool
	closed  bool
}

// Get implements kv.Snapshot.
func (n *snapshot) Get(ctx context.Context, keys ...string) (entries []kv.Entry, err error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, err
		}
	}
	err = n.with(ctx, func(c *conn) error {
		entries, err = c.entries(ctx, keys)
		return err
	})
	return entries, err
}

// Scan implements kv.Snapshot.
func (n *snapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		for from, more := prefix, true; more; more = from != "" {
			var entries []kv.Entry
			err := n.with(ctx, func(c *conn) (err error) {
				entries, from, err = c.scanFrom(prefix, from)
				return err
			})
			if err != nil {
				yield(kv.Entry{}, err)
				return
			}
			if !n.yieldAll(ctx, entries, yield) {
				return
			}
		}
	}
}

// yieldAll yields entries that were read, as long as nothing ends the scan.
func (n *snapshot) yieldAll(ctx context.Context, entries []kv.Entry, yield func(kv.Entry, error) bool) bool {
	for _, entry := range entries {
		if err := n.with(ctx, func(*conn) error { return nil }); err != nil {
			yield(kv.Entry{}, err)
			return false
		}
		if !yield(entry, nil) {
			return false
		}
	}
	return true
}

// Version implements kv.Snapshot.
func (n *snapshot) Version(ctx context.Context) (version kv.Version, err error) {
	err = n.with(ctx, func(*conn) error {
		version = n.version
		return nil
	})
	return version, err
}

// Close implements kv.Snapshot.
func (n *snapshot) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	n.release(true)
}

// expire ends the transaction of a snapshot that somebody may still use.
func (n *snapshot) expire() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gone = true
	n.release(true)
}

// with calls fn with the snapshot's connection.
func (n *snapshot) with(ctx context.Context, fn func(*conn) error) (err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.closed, n.pool.isClosed():
		return kv.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case n.gone:
		return fmt.Errorf("%w: the view is gone after %v or a pause: take a new snapshot", kv.ErrConflict, n.pool.set.snapshotLife)
	}
	if n.conn == nil {
		if err := n.fix(ctx); err != nil {
			return err
		}
	}
	return n.call(fn)
}

// call calls fn. A connection in which SQLite panicked is not used again.
// Callers hold n.mu.
func (n *snapshot) call(fn func(*conn) error) (err error) {
	panicked := true
	defer func() {
		if panicked {
			n.gone = true
			n.release(false)
		}
	}()
	defer guard(&err)
	err = fn(n.conn)
	panicked = false
	return err
}

// fix begins the transaction. Callers hold n.mu.
func (n *snapshot) fix(ctx context.Context) error {
	c, err := n.pool.get(n)
	if err != nil {
		return err
	}
	n.conn = c
	if n.version, err = c.view(ctx, n.pool.set.wait); err != nil {
		n.release(false)
		return err
	}
	n.timer = time.AfterFunc(n.pool.set.snapshotLife, n.expire)
	return nil
}

// release gives the connection back. Callers hold n.mu.
func (n *snapshot) release(usable bool) {
	if n.timer != nil {
		n.timer.Stop()
	}
	if n.conn == nil {
		return
	}
	c := n.conn
	n.conn = nil
	usable = usable && c.endView() == nil
	n.pool.put(n, c, usable)
}

// view begins a read transaction and returns its version.
func (c *conn) view(ctx context.Context, wait time.Duration) (version kv.Version, err error) {
	defer guard(&err)
	c.wait(ctx, wait)
	if err := c.run(qBegin); err != nil {
		return 0, err
	}
	return c.number(qHead)
}

func (c *conn) endView() (err error) {
	defer guard(&err)
	return c.rollback()
}
