package wire

import (
	"context"
	"errors"
	"iter"

	"github.com/pawlkv/pawl/kv"
)

// asker makes a request, as Client.do does.
type asker func(ctx context.Context, r *request) (*in, *waiter, error)

// pages makes a request that is answered in pages and calls each for every one
// of them, until it returns false or the last has come.
func (c *Client) pages(ctx context.Context, r *request, ask asker, each func(*in) (bool, error)) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.calls.Done()
	i, w, err := ask(ctx, r)
	if err != nil {
		return err
	}
	for {
		last := i.status != partial
		more, err := each(i)
		if last {
			return err
		}
		if err != nil || !more {
			c.leave(w)
			return err
		}
		if i, err = c.next(ctx, w); err != nil {
			return err
		}
	}
}

// next asks for a page and waits for it.
func (c *Client) next(ctx context.Context, w *waiter) (*in, error) {
	c.expectPage(w)
	c.notify(opMore, w.number)
	i, err := c.await(ctx, w, c.closing)
	if err == nil {
		return i, c.refused(i)
	}
	if !errors.Is(err, ErrGone) {
		c.leave(w)
	}
	return nil, err
}

// leave takes a request back whose further pages nobody wants.
func (c *Client) leave(w *waiter) {
	c.abandon(w, nil)
	c.cancel(w.number)
}

// Watch implements kv.Store.
func (c *Client) Watch(ctx context.Context, prefix string, after kv.Version) iter.Seq2[kv.Change, error] {
	return func(yield func(kv.Change, error) bool) {
		r := &request{op: opWatch, prefix: prefix, after: after}
		ask := func(ctx context.Context, r *request) (*in, *waiter, error) { return c.do(ctx, r, nil) }
		err := c.pages(ctx, r, ask, func(i *in) (bool, error) {
			changes := all(i, i.change)
			if err := c.checked(i); err != nil {
				return false, err
			}
			for _, change := range changes {
				if err := c.ended(ctx); err != nil {
					return false, err
				}
				if !yield(change, nil) {
					return false, nil
				}
			}
			return true, nil
		})
		if err != nil {
			yield(kv.Change{}, err)
		}
	}
}

// ended returns why a watch goes no further.
func (c *Client) ended(ctx context.Context) error {
	select {
	case <-c.closing:
		return kv.ErrClosed
	default:
		return ctx.Err()
	}
}
