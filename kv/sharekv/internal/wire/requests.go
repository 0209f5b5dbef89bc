package wire

import (
	"context"
	"sync"
	"time"
)

// requests are what a client asks for, in its order. One goroutine reads them
// at any time.
//
// A get takes no time as a rule, and then the reader answers it: to wake up
// another goroutine for it takes longer. See slow for the exception.
type requests struct {
	*conn
	ended chan error // gets why nothing more comes
	gets  gets
}

// gets are what the reader answers.
type gets struct {
	mu      sync.Mutex
	current *request  // nil when the reader reads
	since   time.Time // when it began
	ctx     context.Context
	cancel  context.CancelFunc // of ctx, which all have that this reader answers
	timed   bool               // ring will run
}

// read begins what the client asks for until the connection ends.
func (c *conn) read() error {
	q := &requests{conn: c, ended: make(chan error, 1)}
	q.gets.ctx, q.gets.cancel = context.WithCancel(c.ctx)
	q.read()
	return <-q.ended
}

// read returns when nothing more comes, or when another goroutine reads on.
func (q *requests) read() {
	for {
		r, err := q.next()
		if err != nil {
			q.ended <- err
			return
		}
		if !q.begin(r) {
			return
		}
	}
}

// next returns a request that counts as running.
func (q *requests) next() (*request, error) {
	payload, err := q.frames.next()
	if err != nil {
		return nil, err
	}
	r, err := parseRequest(payload, q.version)
	if err != nil {
		return nil, err
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.over {
		return nil, errClosing
	}
	q.running.Add(1)
	return r, nil
}

// begin starts what a request asks for, and reports whether the caller still is
// the one who reads.
func (q *requests) begin(r *request) (still bool) {
	switch r.op {
	case opClose, opRelease, opMore, opCancel, opPing:
		q.note(r)
		q.running.Done()
	case opTurn:
		q.inOrder(r)
	case opGet:
		return q.atOnce(r, q.handler(r))
	default:
		q.start(r, q.handler(r))
	}
	return true
}

// slow is when a get takes time after all: from then on somebody else reads what
// comes behind it, a ping perhaps, or that the get is taken back.
const slow = 10 * time.Millisecond

// atOnce runs a handler like start, but in the reader's goroutine. It reports
// false if another reads meanwhile.
//
// It makes no timer and no context for each: the timer looks at whatever get
// there is when it rings, and only then one has the context for itself.
func (q *requests) atOnce(r *request, handle func(ctx context.Context)) (still bool) {
	defer q.running.Done()
	ctx, cancel := q.enter(r)
	handle(ctx)
	if still = q.leave(r); !still {
		q.forget(r.number, cancel)
	}
	return still
}

func (q *requests) enter(r *request) (context.Context, context.CancelFunc) {
	g := &q.gets
	g.mu.Lock()
	defer g.mu.Unlock()
	g.current, g.since = r, time.Now()
	if !g.timed {
		g.timed = true
		time.AfterFunc(slow, q.ring)
	}
	return g.ctx, g.cancel
}

// leave reports whether the get was over in time.
func (q *requests) leave(r *request) (still bool) {
	g := &q.gets
	g.mu.Lock()
	defer g.mu.Unlock()
	if still = g.current == r; still {
		g.current = nil
	}
	return still
}

// ring reads on if the reader has been at one get for too long.
func (q *requests) ring() {
	if q.overdue() {
		q.read()
	}
}

// overdue makes the caller the reader, or sees to the next ring if there may
// have to be one.
func (q *requests) overdue() bool {
	g := &q.gets
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.current == nil {
		g.timed = false
		return false
	}
	if left := slow - time.Since(g.since); left > 0 {
		time.AfterFunc(left, q.ring)
		return false
	}
	q.register(g.current, g.cancel)
	g.current, g.timed = nil, false
	g.ctx, g.cancel = context.WithCancel(q.ctx)
	return true
}
