package wire

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/kv"
)

// Commit implements kv.Store. The caller has checked the batch. ErrGone with
// kv.ErrUnknown: the batch was sent and the connection ended; with
// kv.ErrUnavailable: it was certainly not applied.
func (c *Client) Commit(ctx context.Context, b *kv.Batch) (kv.Version, error) {
	if err := c.enter(); err != nil {
		return 0, err
	}
	defer c.calls.Done()
	i, w, f := c.ask(ctx, &request{op: opCommit, batch: b})
	if f.sent && f.err != nil && !errors.Is(f.err, ErrGone) {
		i, f.err = c.takeBack(w, f.err)
	}
	switch {
	case f.err != nil && f.sent && len(b.Writes) > 0:
		return 0, c.unanswered(f.err)
	case f.err != nil:
		return 0, f.err
	case i.status == failed:
		return 0, c.verdict(ctx, b, i.error())
	}
	version := i.version()
	return version, uncertain(b, c.checked(i))
}

// Limits implements kv.Store.
func (c *Client) Limits() kv.Limits { return c.Settings.Limits }

// takeBack cancels a commit that was sent, and waits for its answer as long as
// the grace. If there is none, its outcome is unknown.
func (c *Client) takeBack(w *waiter, why error) (*in, error) {
	c.cancel(w.number)
	ctx, cancel := context.WithTimeout(context.Background(), c.Grace)
	defer cancel()
	i, err := c.await(ctx, w, nil)
	if err == nil {
		return i, nil
	}
	c.abandon(w, nil)
	if c.Welcome.Version < versionAgain {
		// The next try cannot say that it is one. Over another connection it
		// need not: the server lets nothing of this one be left then.
		c.fail(ErrGone)
	}
	return nil, why
}

// unanswered returns the outcome of a commit that was sent, and why there is no
// answer: the connection has ended, Close ends it, or a context has.
func (c *Client) unanswered(why error) error {
	switch {
	case errors.Is(why, ErrGone):
		why = c.end()
	case errors.Is(why, kv.ErrClosed):
		why = fmt.Errorf("the store was closed meanwhile: %w", ErrGone)
	}
	return fmt.Errorf("%w: %w", kv.ErrUnknown, why)
}

// verdict returns the outcome that an answer stands for which is an error.
func (c *Client) verdict(ctx context.Context, b *kv.Batch, err error) error {
	switch {
	case errors.Is(err, errFrame):
		return uncertain(b, c.broken(err))
	case errors.Is(err, ErrGone): // the server is closing
		c.fail(ErrGone)
		return c.gone()
	}
	switch kv.OutcomeOf(err) {
	case kv.NotApplied:
		if errors.Is(err, context.Canceled) {
			return c.canceled(ctx)
		}
	case kv.Unknown:
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", err, ctx.Err())
		}
	case kv.Undecided:
		return uncertain(b, err)
	}
	return err
}

// canceled returns why the server has cancelled a request: we have asked for it,
// or the connection is at its end.
func (c *Client) canceled(ctx context.Context) error {
	if err := c.ended(ctx); err != nil {
		return err
	}
	c.fail(ErrGone)
	return c.gone()
}

// uncertain is for answers that say nothing about a commit.
func uncertain(b *kv.Batch, err error) error {
	if err == nil || len(b.Writes) == 0 || errors.Is(err, kv.ErrUnknown) {
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
	late := func(i *in) { c.notify(opRelease, i.uint()) } // granted when nobody waited any more
	i, _, err := c.do(ctx, &request{op: opTurn, keys: keys}, late)
	if err != nil {
		return kv.Turn{}, err
	}
	id := i.uint()
	if err := c.checked(i); err != nil {
		return kv.Turn{}, err
	}
	return kv.Turn{ID: kv.TurnID(id), Release: func() { c.notify(opRelease, id) }}, nil
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

// Raise implements Store. A server that does not know of formats has the first.
func (c *Client) Raise(ctx context.Context) (kv.Format, error) {
	if err := c.enter(); err != nil {
		return 0, err
	}
	defer c.calls.Done()
	if c.Welcome.Version < versionFormats {
		return kv.Format1, nil
	}
	i, _, err := c.do(ctx, &request{op: opRaise}, nil)
	if err != nil {
		return 0, err
	}
	format := kv.Format(i.uint())
	return format, c.checked(i)
}
