package wire

import (
	"context"
	"iter"

	"github.com/pawlkv/pawl/kv"
)

// stream answers a scan or a watch, page by page.
type stream struct {
	conn    *conn
	number  uint64
	ctx     context.Context
	cancel  context.CancelFunc
	granted chan struct{} // has room for one page that was asked for
}

// stream registers a stream, so that more can be asked for, and returns what
// runs it. Its last page is the answer.
func (c *conn) stream(r *request, run func(ctx context.Context, s *stream) error) func(context.Context) {
	s := &stream{conn: c, number: r.number, granted: make(chan struct{}, 1)}
	s.ctx, s.cancel = context.WithCancel(c.ctx)
	s.grant() // the first page is asked for by the request
	c.held.addStream(r.number, s)
	return func(ctx context.Context) {
		defer s.cancel()
		defer c.held.dropStream(r.number)
		stop := context.AfterFunc(ctx, s.cancel)
		defer stop()
		if err := run(s.ctx, s); err != nil {
			c.sendError(r.number, err)
		}
	}
}

func (s *stream) grant() {
	select {
	case s.granted <- struct{}{}:
	default: // a client that asks twice gets one page
	}
}

// await waits until the next page is asked for.
func (s *stream) await() error {
	select {
	case <-s.granted:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// scan sends the entries with a prefix.
func (s *stream) scan(ctx context.Context, snapshot kv.Snapshot, prefix string) error {
	var page []kv.Entry
	size := 0
	for entry, err := range snapshot.Scan(ctx, prefix) {
		if err != nil {
			return err
		}
		if len(page) == pageEntries || size > pageBytes {
			if err := s.entries(ctx, partial, snapshot, page); err != nil {
				return err
			}
			page, size = page[:0], 0
		}
		page = append(page, entry)
		size += len(entry.Key) + len(entry.Value)
	}
	return s.entries(ctx, answered, snapshot, page)
}

// entries sends a page, with a version at which all of it stood: the view may
// have moved on since the one before.
func (s *stream) entries(ctx context.Context, st status, snapshot kv.Snapshot, page []kv.Entry) error {
	version, err := snapshot.Version(ctx)
	if err != nil {
		return err
	}
	if err := s.await(); err != nil {
		return err
	}
	o := answer(s.number, st, 2)
	o.version(version)
	each(o, page, o.scanned)
	s.conn.send(o)
	return nil
}

// watch sends changes as they come: each page has what came since the one
// before was asked for.
func (s *stream) watch(changes iter.Seq2[kv.Change, error]) error {
	type told struct {
		change kv.Change
		err    error
	}
	waiting := make(chan told, pageEntries)
	s.conn.running.Go(func() {
		defer close(waiting)
		for change, err := range changes {
			select {
			case waiting <- told{change, err}:
			case <-s.ctx.Done():
				return
			}
		}
	})
	for t := range waiting {
		if t.err != nil {
			return t.err
		}
		if err := s.await(); err != nil {
			return err
		}
		page := []kv.Change{t.change}
		for more := true; more && len(page) < pageEntries; {
			select {
			case t, ok := <-waiting:
				if more = ok && t.err == nil; more {
					page = append(page, t.change)
				} else if ok {
					s.changes(page)
					return t.err
				}
			default:
				more = false
			}
		}
		s.changes(page)
	}
	return s.ctx.Err()
}

func (s *stream) changes(page []kv.Change) {
	o := answer(s.number, partial, 1)
	each(o, page, o.change)
	s.conn.send(o)
}
