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
	heard   atomic.Int64  // when a frame came last, in nanoseconds since the client's start
	free    chan struct{} // has a token while nobody reads
	leads   atomic.Uint64 // how often a caller began to read
	watches atomic.Int64  // that are not over
	timed   atomic.Bool   // lullAfter is at work
}

func newReading(network net.Conn) reading {
	return reading{frames: newFrames(network), free: make(chan struct{}, 1)}
}

// lullDelay is for how long nobody has waited when the background begins to
// read.
const lullDelay = 10 * time.Millisecond

var past = time.Unix(1, 0)

// await waits for an answer or the next page, unless stop is closed.
func (c *Client) await(ctx context.Context, q *call, stop <-chan struct{}) (*in, error) {
	free := c.reading.free
	if q.op == opWatch { // its caller is away between pages: the background reads for it
		c.readOn()
		free = nil
	}
	for {
		select {
		case i := <-q.answer:
			return i, nil
		case <-free:
			if i := c.lead(ctx, q, stop); i != nil {
				return i, nil
			}
			free = nil // there is a reason not to wait any longer
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-stop:
			return nil, kv.ErrClosed
		case <-c.over:
			return c.last(q)
		}
	}
}

// last returns the answer that came before the connection ended.
func (c *Client) last(q *call) (*in, error) {
	select {
	case i := <-q.answer:
		return i, nil
	default:
		return nil, c.gone()
	}
}

// lead reads until an answer is there, or returns nil if there is nothing more
// to wait for.
func (c *Client) lead(ctx context.Context, q *call, stop <-chan struct{}) *in {
	defer c.giveBack()
	c.reading.leads.Add(1)
	defer context.AfterFunc(ctx, c.interrupt)()
	for {
		select {
		case i := <-q.answer:
			return i
		case <-ctx.Done():
			return nil
		case <-stop:
			return nil
		default:
		}
		if _, err := c.take(); err != nil {
			return nil
		}
	}
}

// interrupt makes whoever reads look whether it still wants to.
func (c *Client) interrupt() { _ = c.network.SetReadDeadline(past) }

// take reads a frame, unless it is interrupted, and reports whether a caller who
// could read waited for it. An error is the end of the connection.
func (c *Client) take() (awaited bool, err error) {
	payload, err := c.reading.frames.next()
	switch {
	case err == nil:
		c.reading.heard.Store(int64(time.Since(c.start)))
		awaited, err = c.hear(payload)
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = c.network.SetReadDeadline(time.Time{})
	}
	if err != nil {
		c.fail(fmt.Errorf("%w: %w", ErrGone, err))
	}
	return awaited, err
}

// giveBack lets somebody else read.
func (c *Client) giveBack() {
	r := &c.reading
	r.free <- struct{}{}
	if r.watches.Load() > 0 {
		c.readOn()
	} else if r.timed.CompareAndSwap(false, true) {
		c.lullAfter(r.leads.Load())
	}
}

// readOn lets the background read if nobody reads.
func (c *Client) readOn() {
	select {
	case <-c.reading.free:
		go c.background()
	default:
	}
}

// lullAfter looks later whether more callers have read by then.
func (c *Client) lullAfter(leads uint64) {
	time.AfterFunc(lullDelay, func() {
		r := &c.reading
		if now := r.leads.Load(); now != leads {
			c.lullAfter(now)
			return
		}
		r.timed.Store(false) // before: who reads now will see to the next
		c.readOn()
	})
}

// background reads until a caller comes who can.
func (c *Client) background() {
	for {
		awaited, err := c.take()
		if err != nil {
			c.reading.free <- struct{}{}
			return
		}
		if awaited && c.reading.watches.Load() == 0 {
			c.giveBack()
			return
		}
	}
}

// rest returns when nobody reads. After the connection has ended nobody will for
// longer than it takes to see that.
func (c *Client) rest() {
	<-c.reading.free
	c.reading.free <- struct{}{}
}
