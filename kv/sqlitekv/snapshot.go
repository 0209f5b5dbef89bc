package sqlitekv

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/internal/views"
)

// snapshot is a view that moves on. Each call has a read transaction of its own,
// so that a process that is stopped, or slow, between two calls keeps the log of
// nobody from beginning anew. A call that finds a newer state looks first whether
// all that the view has returned stands in it.
type snapshot struct {
	pool *pool

	mu       sync.Mutex // held for the time of a read
	version  kv.Version // of the last call
	opening  int        // the pool's at the first call, 0 before it
	returned views.Returned
	gone     error // why nothing more can be read
	closed   bool
}

// Get implements kv.Snapshot.
func (n *snapshot) Get(ctx context.Context, keys ...string) (entries []kv.Entry, err error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.usable(ctx); err != nil {
		return nil, err
	}
	at := n.pool.index.look()
	entries, known := n.known(at, keys)
	if !known {
		err = n.readSince(ctx, at, func(c *conn) error {
			entries, err = n.entries(ctx, c, keys)
			return err
		})
	}
	if err != nil {
		return nil, err
	}
	n.returned.Add(entries)
	return entries, nil
}

// known answers without SQLite, if nobody has committed since what is remembered was
// so, and all of it is. Callers hold n.mu and know that the view is usable.
func (n *snapshot) known(at indexState, keys []string) ([]kv.Entry, bool) {
	opening, _ := n.pool.state()
	if !at.known || n.opening != 0 && (n.version != at.version || n.opening != opening) {
		return nil, false
	}
	entries := make([]kv.Entry, len(keys))
	if len(n.pool.latest.At(at.version, keys, entries)) > 0 {
		return nil, false
	}
	n.version, n.opening = at.version, opening
	return entries, true
}

// entries reads keys, in their order: those that are not remembered from the file.
// Callers hold n.mu.
func (n *snapshot) entries(ctx context.Context, c *conn, keys []string) ([]kv.Entry, error) {
	entries := make([]kv.Entry, len(keys))
	for _, i := range n.pool.latest.At(n.version, keys, entries) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var err error
		if entries[i], err = c.entry(keys[i]); err != nil {
			return nil, err
		}
		n.pool.latest.Read(n.version, entries[i])
	}
	return entries, nil
}

// Scan implements kv.Snapshot. Between the parts that it reads the view moves on.
func (n *snapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return views.Entries(prefix, func(s *views.Scan) (kv.Entry, bool, error) { return n.next(ctx, s) })
}

// next returns the next entry of a scan, if there is one.
func (n *snapshot) next(ctx context.Context, s *views.Scan) (entry kv.Entry, more bool, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.usable(ctx); err != nil {
		return entry, false, err
	}
	return s.Next(&n.returned, n.version, func(from string) (part views.Part, err error) {
		err = n.read(ctx, func(c *conn) (err error) {
			part.Entries, part.More, err = c.scanPart(s.Prefix, from)
			return err
		})
		part.At = n.version
		return part, err
	})
}

// Version implements kv.Snapshot. All that the view has returned stood at that of
// its last call, so that only a first call reads it.
func (n *snapshot) Version(ctx context.Context) (kv.Version, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.usable(ctx); err != nil || n.opening != 0 {
		return n.version, err
	}
	at := n.pool.index.look()
	if _, known := n.known(at, nil); known {
		return n.version, nil
	}
	err := n.readSince(ctx, at, func(*conn) error { return nil })
	return n.version, err
}

// Close implements kv.Snapshot.
func (n *snapshot) Close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.closed = true
	n.returned = views.Returned{}
}

// usable returns why the view cannot be read. Callers hold n.mu.
func (n *snapshot) usable(ctx context.Context) error {
	opening, closed := n.pool.state()
	switch {
	case n.closed, closed:
		return kv.ErrClosed
	case ctx.Err() != nil:
		return ctx.Err()
	case n.gone == nil && n.opening != 0 && n.opening != opening:
		n.gone = fmt.Errorf("%w: the view is gone after a pause: take a new snapshot", kv.ErrConflict)
	}
	return n.gone
}

// with calls fn with a connection in a read transaction.
func (n *snapshot) with(ctx context.Context, fn func(*conn) error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.usable(ctx); err != nil {
		return err
	}
	return n.read(ctx, fn)
}

// read is with for those who hold n.mu and know that the view is usable.
func (n *snapshot) read(ctx context.Context, fn func(*conn) error) error {
	return n.readSince(ctx, n.pool.index.look(), fn)
}

// readSince is read for those who have looked at the index before.
func (n *snapshot) readSince(ctx context.Context, at indexState, fn func(*conn) error) (err error) {
	defer func() { err = n.pool.set.damage.explain(err) }() // when nothing is being read any more
	c, opening, err := n.pool.get()
	if err != nil {
		return err
	}
	usable := false // what SQLite panicked in is not used again
	defer func() { n.pool.put(c, opening, usable) }()
	defer guard(&err)
	if n.opening != 0 && n.opening != opening {
		usable = true
		return n.usable(ctx)
	}
	n.pool.readers.begin()
	defer n.pool.readers.end()
	head, err := c.view(ctx, n.pool.set.wait)
	if err != nil {
		return err
	}
	n.pool.index.saw(at, head)
	if err = n.move(c, head, opening); err == nil {
		err = fn(c)
	}
	usable = c.endView() == nil
	return err
}

// move takes up the state that the connection reads. Callers hold n.mu.
func (n *snapshot) move(c *conn, head kv.Version, opening int) error {
	if n.opening != 0 && head != n.version {
		stands, err := c.stands(&n.returned, n.version, head)
		if err != nil {
			return err
		}
		if !stands {
			n.gone = fmt.Errorf("%w: something that the view has returned: take a new snapshot", kv.ErrConflict)
			return n.gone
		}
	}
	n.version, n.opening = head, opening
	n.pool.latest.Saw(head)
	return nil
}

// view begins a read transaction and returns its version. SQLite reads one state as
// long as a statement has not ended: so that of the version stays where it is, which
// spares the two that begin and end a transaction.
func (c *conn) view(ctx context.Context, wait time.Duration) (version kv.Version, err error) {
	c.wait(ctx, wait)
	stmt, err := c.stmt(qHead)
	if err != nil {
		return 0, err
	}
	if !stmt.Step() {
		return 0, c.ended(stmt.Err())
	}
	return kv.Version(stmt.ColumnInt64(0)), nil
}

func (c *conn) endView() (err error) {
	defer guard(&err)
	c.prepared[qHead].Reset() // repeats the error of the step
	return nil
}
