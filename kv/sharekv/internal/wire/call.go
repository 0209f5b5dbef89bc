package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// call is a request on its way.
type call struct {
	number  uint64
	op      op
	began   time.Duration // since the client's start
	parts   []*in         // of a get's answer, but for the last
	answer  chan *in      // has room for one
	dropped func(*in)     // what to do with the answer that nobody waits for
}

// paged reports whether the answer comes in pages, for which nothing need come
// for a long time.
func (q *call) paged() bool { return q.op == opScan || q.op == opWatch }

// begin gives a request its number, and a place for its answer.
func (c *Client) begin(r *request) *call {
	q := &call{op: r.op, answer: make(chan *in, 1), began: time.Since(c.start)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.numbers++
	r.number, q.number = c.numbers, c.numbers
	c.pending[q.number] = q
	if q.op == opWatch {
		c.reading.watches.Add(1)
	}
	if !q.paged() && !c.pulsing {
		c.pulsing = true
		time.AfterFunc(c.Patience/pulses, c.pulse)
	}
	return q
}

// end removes a call that is answered, or will not be. The caller holds c.mu.
func (c *Client) end(q *call) {
	if c.pending[q.number] != q {
		return
	}
	delete(c.pending, q.number)
	if q.op == opWatch {
		c.reading.watches.Add(-1)
	}
}

// hear takes a frame, and reports whether a caller who could have read it waited
// for it. What cannot be an answer ends the connection.
func (c *Client) hear(payload []byte) (awaited bool, err error) {
	i := newIn(payload, 2)
	number, s := i.uint(), status(i.uint())
	if i.err != nil {
		return false, i.err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.pending[number]
	if q == nil {
		return false, fmt.Errorf("%w: an answer to request %d, which waits for none", errFrame, number)
	}
	i.status = s
	if s == partial && !q.paged() {
		q.parts = append(q.parts, i)
		return false, nil
	}
	if s != partial {
		c.end(q)
	}
	if q.dropped != nil {
		if s == answered {
			go q.dropped(i)
		}
		return false, nil
	}
	select {
	case q.answer <- i:
		return q.op != opWatch, nil
	default:
		return false, fmt.Errorf("%w: a page that nobody asked for", errFrame)
	}
}

// drop leaves the answer to a call to somebody who waits for it in the name of
// the caller, if it is of any use.
func (c *Client) drop(q *call, with func(*in)) {
	c.mu.Lock()
	if with == nil {
		with = func(*in) {}
	}
	q.dropped = with
	c.mu.Unlock()
	select {
	case i := <-q.answer: // it came meanwhile
		if i.status == answered {
			with(i)
		}
	default:
	}
}

// send writes a request, unless stop is closed while another is being written.
// If it returns an error, the server will not have read it.
func (c *Client) send(ctx context.Context, r *request, stop <-chan struct{}) error {
	frame, err := r.frame(c.Welcome.Version)
	if err != nil {
		return err
	}
	return c.put(ctx, frame, stop)
}

// put writes frames, behind those that waited for one.
func (c *Client) put(ctx context.Context, frames []byte, stop <-chan struct{}) error {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return ctx.Err()
	case <-stop:
		return kv.ErrClosed
	case <-c.over:
		return c.gone()
	}
	if time.Until(c.stall) < c.Patience {
		c.stall = time.Now().Add(2 * c.Patience) // set anew now and then: it is not free
		if err := c.network.SetWriteDeadline(c.stall); err != nil {
			return c.broken(err)
		}
	}
	all := net.Buffers{c.closings.take(), frames}
	if len(all[0]) == 0 {
		all = all[1:]
	}
	if _, err := all.WriteTo(c.network); err != nil {
		return c.broken(err)
	}
	return nil
}

// broken ends the connection over an error of writing.
func (c *Client) broken(err error) error {
	c.fail(fmt.Errorf("%w: %w", ErrGone, err))
	return c.gone()
}

// tell sends what is not answered. Nobody needs to know whether it arrived.
func (c *Client) tell(o op, on uint64) {
	ctx, cancel := context.WithTimeout(context.Background(), c.Grace)
	defer cancel()
	_ = c.send(ctx, &request{op: o, on: on}, nil)
}

// cancel asks the server to end a request. It waits until it was said, so that
// what is said next comes after it, but not for a connection that takes nothing.
func (c *Client) cancel(number uint64) {
	said := make(chan struct{})
	go func() {
		defer close(said)
		c.tell(opCancel, number)
	}()
	grace := time.NewTimer(c.Grace)
	defer grace.Stop()
	select {
	case <-said:
	case <-grace.C:
	}
}

// outcome is how a call came to its end without an answer.
type outcome struct {
	sent bool
	err  error
}

// ask makes a request and returns its answer, which may be an error of the
// server's.
func (c *Client) ask(ctx context.Context, r *request) (*in, *call, outcome) {
	q, err := c.post(ctx, r)
	if r.sent != nil {
		r.sent()
	}
	if err != nil {
		return nil, nil, outcome{err: err}
	}
	i, err := c.await(ctx, q, c.closing)
	return i, q, outcome{sent: true, err: err}
}

// post sends a request that is answered.
func (c *Client) post(ctx context.Context, r *request) (*call, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	q := c.begin(r)
	if err := c.send(ctx, r, c.closing); err != nil {
		c.forget(q)
		return nil, err
	}
	return q, nil
}

// forget removes a call that will not be answered.
func (c *Client) forget(q *call) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.end(q)
}

// do makes a request that can be made again: it changes nothing, or nothing
// that matters.
func (c *Client) do(ctx context.Context, r *request, dropped func(*in)) (*in, *call, error) {
	i, q, o := c.ask(ctx, r)
	if o.err != nil {
		if o.sent && !errors.Is(o.err, ErrGone) {
			c.drop(q, dropped)
			c.cancel(q.number)
		}
		return nil, nil, o.err
	}
	return i, q, c.refused(i)
}

// refused returns the error that an answer is.
func (c *Client) refused(i *in) error {
	if i.status != failed {
		return nil
	}
	err := i.error()
	switch {
	case errors.Is(err, errFrame):
		return c.broken(err)
	case errors.Is(err, ErrGone), errors.Is(err, context.Canceled): // we have not taken it back
		c.fail(ErrGone)
		return c.gone()
	case errors.Is(err, errUntyped):
		return fmt.Errorf("%w: %w", kv.ErrUnavailable, err)
	}
	return err
}

// checked ends the connection over an answer that does not make sense.
func (c *Client) checked(i *in) error {
	if err := i.end(); err != nil {
		return c.broken(err)
	}
	return nil
}
