package wire

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pawlkv/pawl/kv"
)

// view is a snapshot that the server holds under a number. It ends with the
// connection (ErrGone); what that means to who has read from it is the caller's
// to say.
type view struct {
	client *Client
	number uint64

	// naming is held while a request that names the view is sent, and taken by
	// Close: a request after it would make the server open another.
	naming sync.RWMutex
	closed bool
	named  atomic.Bool   // the server may know the number
	newest atomic.Uint64 // one more than the version of the newest answer; 0 before that
}

// Snapshot implements kv.Store.
func (c *Client) Snapshot() kv.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.numbers++
	return &view{client: c, number: c.numbers}
}

// Get implements kv.Snapshot.
func (v *view) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, err
		}
	}
	if err := v.client.enter(); err != nil {
		return nil, err
	}
	defer v.client.calls.Done()
	i, w, err := v.ask(ctx, &request{op: opGet, on: v.number, keys: keys})
	if err != nil {
		return nil, err
	}
	entries := make([]kv.Entry, 0, len(keys))
	for _, part := range append(w.parts, i) {
		if entries, err = v.entries(part, entries, keys); err != nil {
			return nil, err
		}
	}
	if len(entries) != len(keys) {
		return nil, v.client.broken(fmt.Errorf("%w: %d entries for %d keys", errFrame, len(entries), len(keys)))
	}
	return entries, nil
}

// entries adds a part of an answer.
func (v *view) entries(i *in, entries []kv.Entry, keys []string) ([]kv.Entry, error) {
	version, count := i.version(), i.list()
	if count > len(keys)-len(entries) {
		i.fail(fmt.Errorf("%d entries more than keys", count))
	}
	for range count {
		if i.err == nil {
			entries = append(entries, i.entry(keys[len(entries)]))
		}
	}
	if err := v.client.checked(i); err != nil {
		return nil, err
	}
	v.note(version)
	return entries, nil
}

// note keeps the version that every answer carries, at which all stood that was
// answered by then: later answers may have later ones.
func (v *view) note(version kv.Version) {
	for {
		known := v.newest.Load()
		if known > uint64(version) || v.newest.CompareAndSwap(known, uint64(version)+1) {
			return
		}
	}
}

// Version implements kv.Snapshot. After the first read it is known.
func (v *view) Version(ctx context.Context) (kv.Version, error) {
	if err := v.ended(ctx); err != nil {
		return 0, err
	}
	if v.newest.Load() == 0 {
		if _, err := v.Get(ctx); err != nil {
			return 0, err
		}
	}
	return kv.Version(v.newest.Load() - 1), nil
}

// ended returns why nothing can be read, nil if something can.
func (v *view) ended(ctx context.Context) error {
	v.naming.RLock()
	closed := v.closed
	v.naming.RUnlock()
	if closed {
		return kv.ErrClosed
	}
	if err := v.client.ended(ctx); err != nil {
		return err
	}
	return v.client.gone()
}

// ask makes a request that names the view.
func (v *view) ask(ctx context.Context, r *request) (*in, *waiter, error) {
	if err := v.ended(ctx); err != nil {
		return nil, nil, err
	}
	v.naming.RLock()
	if v.closed {
		v.naming.RUnlock()
		return nil, nil, kv.ErrClosed
	}
	v.named.Store(true)
	r.sent = v.naming.RUnlock
	return v.client.do(ctx, r, nil)
}

// Scan implements kv.Snapshot.
func (v *view) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		r := &request{op: opScan, on: v.number, prefix: prefix}
		err := v.client.pages(ctx, r, v.ask, func(i *in) (bool, error) {
			version := i.version()
			entries := all(i, i.scanned)
			if err := v.client.checked(i); err != nil {
				return false, err
			}
			v.note(version)
			for _, e := range entries {
				if err := v.ended(ctx); err != nil {
					return false, err
				}
				if !yield(e, nil) {
					return false, nil
				}
			}
			return true, nil
		})
		if err != nil {
			yield(kv.Entry{}, err)
		}
	}
}

// Close implements kv.Snapshot.
func (v *view) Close() {
	v.naming.Lock()
	defer v.naming.Unlock()
	if !v.closed && v.named.Load() {
		v.client.closeSoon(v.number)
	}
	v.closed = true
}

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
