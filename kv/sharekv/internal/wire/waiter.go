package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// waiter is who waits for the answer to a request.
type waiter struct {
	number uint64
	op     op
	began  time.Duration // since the client's start; of one that is paged, when it asked for the page
	away   bool          // the caller has a page, and has not asked for the next
	parts  []*in         // of a get's answer, but for the last
	answer chan *in      // has room for one
	late   func(*in)     // what to do with the answer that the caller did not wait for
}

// paged reports whether the answer comes in pages.
func (w *waiter) paged() bool { return w.op == opScan || w.op == opWatch }

// idle reports whether nothing need come for a long time. The caller holds c.mu
// of the client.
func (w *waiter) idle() bool { return w.op == opWatch || w.away }

// expect gives a request its number, and a place for its answer.
func (c *Client) expect(r *request) *waiter {
	w := &waiter{op: r.op, answer: make(chan *in, 1), began: time.Since(c.start)}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.numbers++
	r.number, w.number = c.numbers, c.numbers
	c.pending[w.number] = w
	if w.op == opWatch {
		c.reading.watches.Add(1)
	}
	c.beginPulse(w)
	return w
}

// beginPulse sees to it that a server which owes an answer is not silent for good.
// The caller holds c.mu.
func (c *Client) beginPulse(w *waiter) {
	if !w.idle() && !c.pulsing {
		c.pulsing = true
		time.AfterFunc(c.Patience/pulses, c.pulse)
	}
}

// expectPage is expect for the next page of an answer.
func (c *Client) expectPage(w *waiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w.away, w.began = false, time.Since(c.start)
	c.beginPulse(w)
}

// remove forgets who has got the last of an answer, or will get none. The caller
// holds c.mu.
func (c *Client) remove(w *waiter) {
	if c.pending[w.number] != w {
		return
	}
	delete(c.pending, w.number)
	if w.op == opWatch {
		c.reading.watches.Add(-1)
	}
}

// deliver hands an answer to who waits for it, and reports whether that is a
// caller who could have read it. What cannot be an answer ends the connection.
func (c *Client) deliver(payload []byte) (awaited bool, err error) {
	i := newIn(payload, 2)
	number, s := i.uint(), status(i.uint())
	if i.err != nil {
		return false, i.err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.pending[number]
	if w == nil {
		return false, fmt.Errorf("%w: an answer to request %d, which waits for none", errFrame, number)
	}
	i.status = s
	if s == partial && !w.paged() {
		w.parts = append(w.parts, i)
		return false, nil
	}
	if s != partial {
		c.remove(w)
	}
	if w.late != nil {
		if s == answered {
			go w.late(i)
		}
		return false, nil
	}
	select {
	case w.answer <- i:
		w.away = s == partial
		return w.op != opWatch, nil
	default:
		return false, fmt.Errorf("%w: a page that nobody asked for", errFrame)
	}
}

// abandon leaves an answer to somebody who waits for it in the name of the
// caller, if it is of any use.
func (c *Client) abandon(w *waiter, with func(*in)) {
	c.mu.Lock()
	if with == nil {
		with = func(*in) {}
	}
	w.late = with
	c.mu.Unlock()
	select {
	case i := <-w.answer: // it came meanwhile
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
	case c.writing <- struct{}{}:
		defer func() { <-c.writing }()
	case <-ctx.Done():
		return ctx.Err()
	case <-stop:
		return kv.ErrClosed
	case <-c.over:
		return c.gone()
	}
	if time.Until(c.deadline) < c.Patience {
		c.deadline = time.Now().Add(2 * c.Patience) // set anew now and then: it is not free
		if err := c.network.SetWriteDeadline(c.deadline); err != nil {
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

// notify sends what is not answered. Nobody needs to know whether it arrived.
func (c *Client) notify(o op, on uint64) {
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
		c.notify(opCancel, number)
	}()
	grace := time.NewTimer(c.Grace)
	defer grace.Stop()
	select {
	case <-said:
	case <-grace.C:
	}
}

// failure is why there is no answer to a request, nil if there is one.
type failure struct {
	sent bool
	err  error
}

// ask makes a request and returns its answer, which may be an error of the
// server's.
func (c *Client) ask(ctx context.Context, r *request) (*in, *waiter, failure) {
	w, err := c.post(ctx, r)
	if r.sent != nil {
		r.sent()
	}
	if err != nil {
		return nil, nil, failure{err: err}
	}
	i, err := c.await(ctx, w, c.closing)
	return i, w, failure{sent: true, err: err}
}

// post sends a request that is answered.
func (c *Client) post(ctx context.Context, r *request) (*waiter, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := c.expect(r)
	if err := c.send(ctx, r, c.closing); err != nil {
		c.forget(w)
		return nil, err
	}
	return w, nil
}

// forget removes who will get no answer.
func (c *Client) forget(w *waiter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.remove(w)
}

// do makes a request that can be made again: it changes nothing, or nothing
// that matters.
func (c *Client) do(ctx context.Context, r *request, late func(*in)) (*in, *waiter, error) {
	i, w, f := c.ask(ctx, r)
	if f.err != nil {
		if f.sent && !errors.Is(f.err, ErrGone) {
			c.abandon(w, late)
			c.cancel(w.number)
		}
		return nil, nil, f.err
	}
	return i, w, c.refused(i)
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
