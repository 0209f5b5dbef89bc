package wire

import (
	"context"
	"fmt"
	"time"
)

// pulses is how often within the patience a client that waits makes sure that
// the server is there.
const pulses = 5

// pulse runs while calls wait for answers: it pings, and ends the connection
// when one has waited for as long as the patience and nothing was heard either.
func (c *Client) pulse() {
	oldest, waiting := c.oldest()
	if !waiting {
		return
	}
	silent := time.Since(c.start) - max(oldest, time.Duration(c.reading.heard.Load()))
	if silent >= c.Patience {
		c.fail(fmt.Errorf("%w: %w for %v", ErrGone, ErrSilent, c.Patience))
		return
	}
	time.AfterFunc(c.Patience/pulses, c.pulse)
	if silent >= c.Patience/pulses {
		c.ping()
	}
}

// oldest returns when the first of those calls began. If there is none, no
// pulse is taken until there is.
func (c *Client) oldest() (began time.Duration, waiting bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.pending {
		if !q.paged() && (!waiting || q.began < began) {
			began, waiting = q.began, true
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
	q := c.begin(r)
	c.drop(q, nil)
	if c.send(ctx, r, nil) != nil {
		c.forget(q)
	}
}
