package wire

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/pawlkv/pawl/kv"
)

// snapshot is a view that the server holds under a number.
type snapshot struct {
	client *Client
	number uint64

	// using is held while a request that names the snapshot is sent, and taken
	// by Close: a request after it would make the server open another.
	using  sync.RWMutex
	closed chan struct{}

	mu      sync.Mutex
	used    bool // the server may know the number
	fixed   bool
	version kv.Version
}

// Snapshot implements kv.Store.
func (c *Client) Snapshot() kv.Snapshot {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.numbers++
	return &snapshot{client: c, number: c.numbers, closed: make(chan struct{})}
}

// Get implements kv.Snapshot.
func (n *snapshot) Get(ctx context.Context, keys ...string) ([]kv.Entry, error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return nil, err
		}
	}
	if err := n.client.enter(); err != nil {
		return nil, err
	}
	defer n.client.calls.Done()
	i, q, err := n.ask(ctx, &request{op: opGet, on: n.number, keys: keys})
	if err != nil {
		return nil, err
	}
	entries := make([]kv.Entry, 0, len(keys))
	for _, part := range append(q.parts, i) {
		if entries, err = n.entries(part, entries, keys); err != nil {
			return nil, err
		}
	}
	if len(entries) != len(keys) {
		return nil, n.client.broken(fmt.Errorf("%w: %d entries for %d keys", errFrame, len(entries), len(keys)))
	}
	return entries, nil
}

// entries adds a part of an answer.
func (n *snapshot) entries(i *in, entries []kv.Entry, keys []string) ([]kv.Entry, error) {
	version, count := i.version(), i.list()
	if count > len(keys)-len(entries) {
		i.fail(fmt.Errorf("%d entries more than keys", count))
	}
	for range count {
		if i.err == nil {
			entries = append(entries, i.entry(keys[len(entries)]))
		}
	}
	if err := n.client.checked(i); err != nil {
		return nil, err
	}
	return entries, n.fix(version)
}

// fix notes the version that every answer carries.
func (n *snapshot) fix(version kv.Version) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fixed && n.version != version {
		return n.client.broken(fmt.Errorf("%w: one view at two versions", errFrame))
	}
	n.fixed, n.version = true, version
	return nil
}

// Version implements kv.Snapshot. After the first read it is known.
func (n *snapshot) Version(ctx context.Context) (kv.Version, error) {
	if err := n.ended(ctx); err != nil {
		return 0, err
	}
	n.mu.Lock()
	version, fixed := n.version, n.fixed
	n.mu.Unlock()
	if fixed {
		return version, nil
	}
	if _, err := n.Get(ctx); err != nil {
		return 0, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.version, nil
}

// ended returns why nothing can be read, nil if something can.
func (n *snapshot) ended(ctx context.Context) error {
	select {
	case <-n.closed:
		return kv.ErrClosed
	case <-n.client.closing:
		return kv.ErrClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := n.client.gone(); err != nil {
		return n.view(err)
	}
	return nil
}

// view makes the end of the connection the end of the view, if there is one.
func (n *snapshot) view(err error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case n.isClosed():
		return kv.ErrClosed
	case n.fixed && errors.Is(err, ErrGone):
		return fmt.Errorf("%w: the view is gone: %v", kv.ErrConflict, err)
	}
	return err
}

func (n *snapshot) isClosed() bool {
	select {
	case <-n.closed:
		return true
	default:
		return false
	}
}

// ask makes a request that names the snapshot.
func (n *snapshot) ask(ctx context.Context, r *request) (*in, *call, error) {
	if err := n.ended(ctx); err != nil {
		return nil, nil, err
	}
	n.using.RLock()
	if n.isClosed() {
		n.using.RUnlock()
		return nil, nil, kv.ErrClosed
	}
	n.mu.Lock()
	n.used = true
	n.mu.Unlock()
	r.sent = n.using.RUnlock
	i, q, err := n.client.do(ctx, r, nil)
	if err != nil {
		return nil, nil, n.view(err)
	}
	return i, q, nil
}

// Scan implements kv.Snapshot.
func (n *snapshot) Scan(ctx context.Context, prefix string) iter.Seq2[kv.Entry, error] {
	return func(yield func(kv.Entry, error) bool) {
		r := &request{op: opScan, on: n.number, prefix: prefix}
		err := n.client.pages(ctx, r, n.ask, func(i *in) (bool, error) {
			entries, err := n.page(i)
			if err != nil {
				return false, err
			}
			for _, e := range entries {
				if err := n.ended(ctx); err != nil {
					return false, err
				}
				if !yield(e, nil) {
					return false, nil
				}
			}
			return true, nil
		})
		if err != nil {
			yield(kv.Entry{}, n.view(err))
		}
	}
}

func (n *snapshot) page(i *in) ([]kv.Entry, error) {
	version := i.version()
	entries := all(i, i.scanned)
	if err := n.client.checked(i); err != nil {
		return nil, err
	}
	return entries, n.fix(version)
}

// Close implements kv.Snapshot.
func (n *snapshot) Close() {
	n.using.Lock()
	defer n.using.Unlock()
	if n.isClosed() {
		return
	}
	close(n.closed)
	if n.used {
		n.client.closeSoon(n.number)
	}
}
