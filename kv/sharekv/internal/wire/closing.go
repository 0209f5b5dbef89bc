package wire

import (
	"context"
	"sync"
	"time"
)

// closeDelay is for how long a server may keep a view that nobody reads any
// more. The end of a snapshot goes with the next request, if there is one by
// then: a write of its own, and the server waking up for it, would cost about as
// much as the read did.
const closeDelay = 10 * time.Millisecond

// closings are the frames that wait for the next request.
type closings struct {
	mu     sync.Mutex
	frames []byte
	due    bool // a flush is on its way
}

// add reports whether somebody has to see to a flush.
func (w *closings) add(frame []byte) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.frames = append(w.frames, frame...)
	first := !w.due
	w.due = true
	return first
}

func (w *closings) take() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	frames := w.frames
	w.frames = nil
	return frames
}

// flushed is take for the flush.
func (w *closings) flushed() []byte {
	w.mu.Lock()
	w.due = false
	w.mu.Unlock()
	return w.take()
}

// closeSoon tells the server to close a snapshot, with the next request or a
// moment later.
func (c *Client) closeSoon(number uint64) {
	frame, err := (&request{op: opClose, on: number}).frame(c.Welcome.Version)
	if err == nil && c.closings.add(frame) {
		time.AfterFunc(closeDelay, c.flush)
	}
}

func (c *Client) flush() {
	frames := c.closings.flushed()
	if len(frames) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.Grace)
	defer cancel()
	_ = c.put(ctx, frames, nil) // who has gone holds nothing
}
