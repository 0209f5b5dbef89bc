package wire

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

// Commit implements kv.Store. ErrGone with kv.ErrUnknown: the batch was sent
// and the connection ended; with kv.ErrUnavailable: it was certainly not
// applied.
func (c *Client) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := b.Check(c.Limits()); err != nil {
		return 0, err
	}
	if err := c.enter(); err != nil {
		return 0, err
	}
	defer c.calls.Done()
	i, q, o := c.ask(ctx, &request{op: opCommit, batch: b})
	if o.sent && o.err != nil && !errors.Is(o.err, ErrGone) {
		i, o.err = c.takeBack(q, o.err)
	}
	if o.err != nil {
		return 0, lost(b, o)
	}
	if i.status != failed {
		version := i.version()
		return version, c.uncertain(b, c.checked(i))
	}
	return 0, c.verdict(ctx, b, i.error())
}

// Limits implements kv.Store.
func (c *Client) Limits() kv.Limits { return c.Settings.Limits }

// verdict returns the outcome that an error of the server's stands for.
func (c *Client) verdict(ctx context.Context, b *kv.Batch, err error) error {
	switch {
	case errors.Is(err, errFrame):
		return c.uncertain(b, c.broken(err))
	case errors.Is(err, errUntyped):
		return c.uncertain(b, err)
	case errors.Is(err, kv.ErrUnknown) && ctx.Err() != nil:
		return fmt.Errorf("%w: %w", err, ctx.Err())
	case errors.Is(err, context.Canceled) && c.ended(ctx) != nil:
		return c.ended(ctx)
	case errors.Is(err, context.Canceled), errors.Is(err, ErrGone): // not by us
		c.fail(ErrGone)
		return c.gone()
	}
	return err
}

// takeBack cancels a commit that was sent, and waits for its answer as long as
// the grace. If there is none, its outcome is unknown.
func (c *Client) takeBack(q *call, why error) (*in, error) {
	c.cancel(q.number)
	ctx, cancel := context.WithTimeout(context.Background(), c.Grace)
	defer cancel()
	i, err := c.await(ctx, q, nil)
	if err == nil {
		return i, nil
	}
	c.drop(q, nil)
	if c.Welcome.Version < versionAgain {
		// The next try cannot say that it is one. Over another connection it
		// need not: the server lets nothing of this one be left then.
		c.fail(ErrGone)
	}
	return nil, why
}

// lost returns the outcome of a commit that was not answered.
func lost(b *kv.Batch, o outcome) error {
	switch {
	case !o.sent || len(b.Writes) == 0:
		return o.err
	case errors.Is(o.err, kv.ErrClosed): // by Close, which ends the connection
		return fmt.Errorf("%w: the store was closed meanwhile: %w", kv.ErrUnknown, ErrGone)
	case errors.Is(o.err, ErrSilent):
		return fmt.Errorf("%w: %w: %w", kv.ErrUnknown, ErrGone, ErrSilent)
	case errors.Is(o.err, ErrGone):
		return fmt.Errorf("%w: %w", kv.ErrUnknown, ErrGone)
	}
	return fmt.Errorf("%w: %w", kv.ErrUnknown, o.err) // a context's
}

// uncertain is for answers that say nothing about a commit.
func (c *Client) uncertain(b *kv.Batch, err error) error {
	if err == nil || len(b.Writes) == 0 {
		return err
	}
	return fmt.Errorf("%w: %v", kv.ErrUnknown, err)
}

// Turn implements kv.Store.
func (c *Client) Turn(ctx context.Context, keys ...string) (kv.Turn, error) {
	for _, key := range keys {
		if err := kv.CheckKey(key); err != nil {
			return kv.Turn{}, err
		}
	}
	if err := c.enter(); err != nil {
		return kv.Turn{}, err
	}
	defer c.calls.Done()
	late := func(i *in) { c.tell(opRelease, i.uint()) } // granted when nobody waited any more
	i, _, err := c.do(ctx, &request{op: opTurn, keys: keys}, late)
	if err != nil {
		return kv.Turn{}, err
	}
	id := i.uint()
	if err := c.checked(i); err != nil {
		return kv.Turn{}, err
	}
	return kv.Turn{ID: kv.TurnID(id), Release: func() { c.tell(opRelease, id) }}, nil
}

// Flatten implements Store.
func (c *Client) Flatten(ctx context.Context) error {
	if err := c.enter(); err != nil {
		return err
	}
	defer c.calls.Done()
	i, _, err := c.do(ctx, &request{op: opFlatten}, nil)
	if err != nil {
		return err
	}
	return c.checked(i)
}
