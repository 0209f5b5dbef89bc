package demo

import (
	"context"
	"errors"
	"time"

	"github.com/pawlkv/pawl/ratchet"
)

// round plays what happens in a round. An error says nothing of the design.
func (g *game) round(ctx context.Context, r round) (delivered [2]*delivery, err error) {
	victim, other := r.victim, 1-r.victim
	if r.fate == restart {
		if err := g.bob[victim].restart(ctx); err != nil {
			return delivered, err
		}
	}
	first := g.begins(ctx, r, victim)
	second, err := g.strike(ctx, r, func() waiting { return g.begins(ctx, r, other) })
	errs := []error{err, nil, nil}
	delivered[victim], errs[1] = first()
	delivered[other], errs[2] = second()
	if err := errors.Join(errs...); err != nil {
		return delivered, err
	}
	delivered[victim].disturbed = r.fate == kill || r.fate == stop
	if g.bob[victim].life().doomed.Load() {
		err = g.bob[victim].restart(ctx) // it was killed when its step was done
	}
	return delivered, err
}

// waiting waits for what comes of a letter, nil if there is none.
type waiting func() (*delivery, error)

func nothing() (*delivery, error) { return nil, nil }

// begins begins to bring a process's letter to its reader.
func (g *game) begins(ctx context.Context, r round, who int) waiting {
	l := r.letters[who]
	if l == nil {
		return nothing
	}
	var key *ratchet.PublicKey
	if l.toBob {
		key, g.claimed = g.claimed, nil
	}
	var d delivery
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		d, err = g.carry(ctx, g.bob[who], *l, key)
	}()
	return func() (*delivery, error) {
		<-done
		return &d, err
	}
}

// strike begins the other process's letter, and does to the victim what the
// round has for it, at its moment. The other's begins when the victim is
// stopped, or else at once.
func (g *game) strike(ctx context.Context, r round, begin func() waiting) (waiting, error) {
	victim := g.bob[r.victim].life()
	if r.fate != stop {
		other := begin()
		if r.fate != kill {
			return other, nil
		}
		err := pass(ctx, r.after)
		victim.kill()
		return other, err
	}
	if err := pass(ctx, r.after); err != nil {
		return nothing, err
	}
	stopped := victim.stop()
	other := begin()
	return other, errors.Join(stopped, pass(ctx, stopFor), victim.resume())
}

// pass lets time pass.
func pass(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
