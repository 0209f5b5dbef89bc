package client

import (
	"context"
	"errors"
	"log/slog"

	"github.com/pawlkv/pawl"
)

// Send sends what is to be sent, and what follows from the answers.
func (c *Client) Send(ctx context.Context) error {
	for {
		requests, err := c.OutgoingRequests(ctx)
		if err != nil {
			slog.WarnContext(ctx, "some requests cannot be made", "error", err)
		}
		if len(requests) == 0 {
			return nil
		}
		if err := c.Deliver(ctx, requests); err != nil {
			return err
		}
	}
}

// Deliver sends requests, and tells what became of each. After one that had no answer
// the others are not sent now: they fail as well, or wait for it.
func (c *Client) Deliver(ctx context.Context, requests []pawl.Request) (failed error) {
	told := context.WithoutCancel(ctx) // what is known is told, though the program ends
	for _, r := range requests {
		answer, err := []byte(nil), ErrNotSent
		if failed == nil {
			answer, err = c.Do(ctx, r.Method, r.Path, r.Body)
			failed = err
		}
		var refusal *Refusal
		switch {
		case err == nil:
			if err = c.MarkSent(told, r.ID, answer); errors.Is(err, pawl.ErrAnswer) { // of a proxy, perhaps
				failed, err = err, c.MarkFailed(told, r.ID, pawl.Unknown())
			}
		case errors.As(err, &refusal):
			failed, err = nil, c.MarkFailed(told, r.ID, pawl.Refused(refusal.Status, refusal.Body))
		case errors.Is(err, ErrNotSent):
			err = c.MarkFailed(told, r.ID, pawl.NotSent())
		default:
			err = c.MarkFailed(told, r.ID, pawl.Unknown())
		}
		if err != nil && !errors.Is(err, pawl.ErrNoRequest) { // another process was first
			return err
		}
	}
	return failed
}
