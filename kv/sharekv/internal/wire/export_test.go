package wire

import (
	"context"

	"github.com/pawlkv/pawl/kv"
)

// Send is Commit whose answer nobody waits for.
func (c *Client) Send(ctx context.Context, b *kv.Batch) error {
	w, err := c.post(ctx, &request{op: opCommit, batch: b})
	if err == nil {
		c.abandon(w, nil)
	}
	return err
}
