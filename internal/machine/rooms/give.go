package rooms

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// MostMessages is how many messages one request carries, at most.
const MostMessages = 250

const (
	encryptedType = "m.room.encrypted"
	roomKeyType   = "m.room_key"
	withheldType  = "m.room_key.withheld"
)

// give gives the key to the devices of the plan that have a session, one commit a
// request: ratchet steps, what the devices were told and the body together. Those
// without a session are missing from then on. It returns false if so many requests have
// no answer that no more are made.
func (c *call) give(ctx context.Context, p *plan) (bool, error) {
	slices.SortFunc(p.give, func(a, b wanting) int { return byName(a.to, b.to) })
	most := MostMessages
	for len(p.give) > 0 {
		most = min(most, len(p.give))
		done, err := txn.Do(ctx, c.account.DB, func(tx *txn.Tx) (looked, error) { return c.giveSome(tx, p, p.give[:most]) })
		switch {
		case errors.Is(err, kv.ErrTooLarge) && most > 1:
			most, p.crowded = most/2, true
			continue
		case err != nil:
			return false, err
		case done.at == 0:
			return false, nil
		}
		p.give, most = p.give[done.at:], MostMessages
		p.known += done.given
		if !done.retry.IsZero() {
			p.retryAt(done.retry)
		}
		for _, w := range done.missing {
			p.missing = append(p.missing, w.to)
			p.told[w.to.Name] = w.told == group.NotReached
		}
	}
	return true, nil
}

// looked is what became of the first of some devices: so many were looked at and were
// given the key, and there is no session with these.
type looked struct {
	at, given int
	missing   []wanting
	retry     time.Time // of those who cannot be reached
}

// giveSome gives the key to the first of some devices, as many as the commit takes.
func (c *call) giveSome(tx *txn.Tx, p *plan, some []wanting) (looked, error) {
	s, err := c.current(tx, p)
	if err != nil {
		return looked{}, err
	}
	if len(s.room.Waiting) == records.MaxWaiting {
		return looked{}, nil
	}
	g, err := c.newGiving(tx, s, p, some)
	if err != nil {
		return looked{}, err
	}
	defer g.event.Wipe()
	if err := g.begin(some); err != nil {
		return looked{}, err
	}
	g.encrypt()
	if err := g.keep(); err != nil || len(g.given) == 0 {
		return g.looked, err
	}
	id, err := g.request()
	if err != nil {
		return looked{}, err
	}
	s.room.Waiting = append(slices.Clip(s.room.Waiting), id)
	if g.looked.at == len(p.give) && len(g.looked.missing) == 0 && p.onlyGives() {
		after := *p
		if !g.looked.retry.IsZero() {
			after.retryAt(g.looked.retry)
		}
		s.room = after.finished(s.room, nil, false)
	}
	return g.looked, records.Rooms.Put(tx, s.room)
}
