package wire

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// reading is a client's side of what the server sends. One goroutine reads at
// any time: as a rule a caller who waits for an answer, and who takes in the
// answers to others meanwhile. A goroutine for nothing but reading would have to
// be woken up for each answer only to wake up the caller.
//
// When nobody has waited for a moment, a goroutine in the background reads. It
// notices the end of the connection, and takes in what nobody waits for. While
// there are watches it reads all the time: their changes come when nobody waits
// for anything else.
type reading struct {
	frames  *frames
	last    atomic.Int64  // when a frame came last, in nanoseconds since the client's start
	free    chan struct{} // has a token while nobody reads
	callers atomic.Uint64 // how often a caller began to read
	watches atomic.Int64  // that are not over
	timed   atomic.Bool   // idleAfter is at work
}

func newReading(network net.Conn) reading {
	return reading{frames: newFrames(network), free: make(chan struct{}, 1)}
}

// idleDelay is for how long nobody has waited when the background begins to
// read.
const idleDelay = 10 * time.Millisecond

var past = time.Unix(1, 0)

// await waits for an answer or the next page, unless stop is closed.
func (c *Client) await(ctx context.Context, w *waiter, stop <-chan struct{}) (*in, error) {
	free := c.reading.free
	if w.op == opWatch { // its caller is away between pages: the background reads for it
		c.readInBackground()
		free = nil
	}
	for {
		select {
		case i := <-w.answer:
			return i, nil
		case <-free:
			if i := c.readFor(ctx, w, stop); i != nil {
				return i, nil
			}
			free = nil // there is a reason not to wait any longer
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-stop:
			return nil, kv.ErrClosed
		case <-c.over:
			return c.lastAnswer(w)
		}
	}
}

// lastAnswer returns the answer that came before the connection ended.
func (c *Client) lastAnswer(w *waiter) (*in, error) {
	select {
	case i := <-w.answer:
		return i, nil
	default:
		return nil, c.gone()
	}
}

// readFor reads until an answer is there, or returns nil if there is nothing more
// to wait for.
func (c *Client) readFor(ctx context.Context, w *waiter, stop <-chan struct{}) *in {
	defer c.stopReading()
	c.reading.callers.Add(1)
	defer context.AfterFunc(ctx, c.interrupt)()
	for {
		select {
		case i := <-w.answer:
			return i
		case <-ctx.Done():
			return nil
		case <-stop:
			return nil
		default:
		}
		if _, err := c.readFrame(); err != nil {
			return nil
		}
	}
}

// interrupt makes whoever reads look whether it still wants to.
func (c *Client) interrupt() { _ = c.network.SetReadDeadline(past) }

// readFrame reads a frame, unless it is interrupted, and reports whether a caller who
// could read waited for it. An error is the end of the connection.
func (c *Client) readFrame() (awaited bool, err error) {
	payload, err := c.reading.frames.next()
	switch {
	case err == nil:
		c.reading.last.Store(int64(time.Since(c.start)))
		awaited, err = c.deliver(payload)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = c.network.SetReadDeadline(time.Time{})
	}
	if err != nil {
		c.fail(fmt.Errorf("%w: %w", ErrGone, err))
	}
	return awaited, err
}

// stopReading lets somebody else read.
func (c *Client) stopReading() {
	r := &c.reading
	r.free <- struct{}{}
	if r.watches.Load() > 0 {
		c.readInBackground()
	} else if r.timed.CompareAndSwap(false, true) {
		c.idleAfter(r.callers.Load())
	}
}

// readInBackground lets the background read if nobody reads.
func (c *Client) readInBackground() {
	select {
	case <-c.reading.free:
		go c.background()
	default:
	}
}

// idleAfter looks later whether more callers have read by then.
func (c *Client) idleAfter(callers uint64) {
	time.AfterFunc(idleDelay, func() {
		r := &c.reading
		if more := r.callers.Load(); more != callers {
			c.idleAfter(more)
			return
		}
		r.timed.Store(false) // before: who reads now will see to the next
		c.readInBackground()
	})
}

// background reads until a caller comes who can.
func (c *Client) background() {
	for {
		awaited, err := c.readFrame()
		if err != nil {
			c.reading.free <- struct{}{}
			return
		}
		if awaited && c.reading.watches.Load() == 0 {
			c.stopReading()
			return
		}
	}
}

// awaitReader returns when nobody reads. After the connection has ended nobody will for
// longer than it takes to see that.
func (c *Client) awaitReader() {
	<-c.reading.free
	c.reading.free <- struct{}{}
}

// pulses is how often within the patience a client that waits makes sure that
// the server is there.
const pulses = 5

// pulse runs while requests wait for answers: it pings, and ends the connection
// when one has waited for as long as the patience and nothing was heard either.
func (c *Client) pulse() {
	oldest, waiting := c.oldest()
	if !waiting {
		return
	}
	silent := time.Since(c.start) - max(oldest, time.Duration(c.reading.last.Load()))
	if silent >= c.Patience {
		c.fail(fmt.Errorf("%w: %w", ErrGone, &Silence{c.Welcome.PID, c.Patience}))
		return
	}
	time.AfterFunc(c.Patience/pulses, c.pulse)
	if silent >= c.Patience/pulses {
		c.ping()
	}
}

// oldest returns when the first of those requests began. If there is none, no
// pulse is taken until there is.
func (c *Client) oldest() (began time.Duration, waiting bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, w := range c.pending {
		if !w.idle() && (!waiting || w.began < began) {
			began, waiting = w.began, true
		}
	}
	c.pulsing = waiting && c.cause == nil
	return began, c.pulsing
}

// ping asks for a sign of life, unless the connection does not even take that.
func (c *Client) ping() {
	ctx, cancel := context.WithTimeout(context.Background(), c.Patience/pulses)
	defer cancel()
	r := &request{op: opPing}
	w := c.expect(r)
	c.abandon(w, nil)
	if c.send(ctx, r, nil) != nil {
		c.forget(w)
	}
}
