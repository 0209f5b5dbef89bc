package pawlbot

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/pawlkv/pawl"
)

// often is how often Pawl is asked whether something is due that nothing here has
// brought about: what waited, or was left by a process that was killed. Once a minute
// would do; tests wait for it.
const often = time.Second

// sendWhatIsDue sends Pawl's requests, until the process ends.
func (c *client) sendWhatIsDue() {
	for c.life.Err() == nil {
		if err := c.sendAll(c.life); err != nil && c.life.Err() == nil {
			slog.Warn("what is due cannot be sent", "error", err)
		}
		c.sleep(c.life, often)
	}
}

// ring lets sendWhatIsDue look now.
func (c *client) ring() {
	select {
	case c.wake <- struct{}{}:
	default: // it will look
	}
}

// sleep waits until somebody rings, or for some time on the device's clock, which
// may be moved meanwhile.
func (c *client) sleep(ctx context.Context, d time.Duration) {
	until := c.now().Add(d)
	tick := time.NewTicker(d / 10)
	defer tick.Stop()
	for c.now().Before(until) {
		select {
		case <-c.wake:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// sendAll sends all that may be sent now. What fails is sent the next time.
func (c *client) sendAll(ctx context.Context) error {
	for {
		all, err := c.machine.OutgoingRequests(ctx)
		var failed []error
		for _, r := range all {
			failed = append(failed, c.deliver(ctx, r))
		}
		if err := errors.Join(append(failed, err)...); err != nil || len(all) == 0 {
			return err
		}
	}
}

// deliver sends a request, and hands in what came of it, also when ctx ends.
func (c *client) deliver(ctx context.Context, r pawl.Request) error {
	answer, err := c.server.ask(ctx, r.Method, strings.TrimPrefix(r.Path, clientAPI), r.Body)
	_, handed := patiently(context.WithoutCancel(ctx), func() (struct{}, error) {
		if err != nil {
			return struct{}{}, c.machine.MarkFailed(context.WithoutCancel(ctx), r.ID, c.failure(err))
		}
		return struct{}{}, c.machine.MarkSent(context.WithoutCancel(ctx), r.ID, answer)
	})
	if errors.Is(handed, pawl.ErrNoRequest) {
		handed = nil // another process was first
	}
	return errors.Join(err, handed)
}
