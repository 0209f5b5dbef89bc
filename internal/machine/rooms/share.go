package rooms

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// maxRounds bounds how often one call begins anew because something changed
// meanwhile.
const maxRounds = 32

// errChanged: what was planned does not hold any more.
var errChanged = errors.New("pawl: the room changed while its key was shared")

// Share does what can be done now so that all devices of a room's members get the
// key of the session that we send in; see package pawl.
func (r *Rooms) Share(ctx context.Context, room matrix.RoomID, members []matrix.UserID, settings Settings) (s Sharing, err error) {
	if err := room.Check(); err != nil {
		return s, err
	}
	for _, user := range members {
		if err := user.Check(); err != nil {
			return s, err
		}
	}
	if settings, err = settings.check(); err != nil {
		return s, err
	}
	c := &call{r, room, members, settings}
	err = records.OnRaised(ctx, r.account, func() error {
		s, err = c.share(ctx)
		return err
	})
	return s, err
}

// share begins anew until nothing changes meanwhile.
func (c *call) share(ctx context.Context) (Sharing, error) {
	for range maxRounds {
		done, err := c.round(ctx)
		if err != nil && !errors.Is(err, errChanged) {
			return Sharing{}, err
		}
		if done && err == nil {
			break
		}
	}
	return c.outcome(ctx)
}

// round does all that is planned, and returns false if there is more.
func (c *call) round(ctx context.Context) (bool, error) {
	p, err := txn.View(ctx, c.account.DB, c.plan)
	switch {
	case err != nil:
		return false, err
	case p.whole:
		return true, nil
	case p.unprepared:
		return false, c.prepare(ctx)
	case p.rotate != group.Kept:
		return false, c.setUp(ctx, p.rotate, p.session)
	}
	c.tell(ctx, p)
	whole, err := c.give(ctx, p)
	if err != nil {
		return false, err
	}
	asked, waits, err := c.claim(ctx, p)
	if err != nil {
		return false, err
	}
	if len(p.awaited) > 0 {
		more, err := c.query(ctx, p.awaited)
		if err != nil {
			return false, err
		}
		asked, waits = append(asked, more...), true
	}
	if whole {
		whole, err = c.give(ctx, p)
	}
	if !whole || err != nil {
		return err == nil, err
	}
	if err := c.withhold(ctx, p); err != nil {
		return false, err
	}
	return true, c.finish(ctx, p, asked, waits)
}

// tell tells the log what was done without.
func (c *call) tell(ctx context.Context, p *plan) {
	var d machine.Damages
	d.Add(p.damaged...)
	for _, err := range d.All() {
		c.account.Store.Log.WarnContext(ctx, "a room key is shared without a record that is damaged: 'pawl check' and Store.Check list all", "error", err)
	}
}

// query makes requests that ask for the devices of users, and returns them.
func (c *call) query(ctx context.Context, users []matrix.UserID) (asked []outbox.ID, err error) {
	if err := c.queries.Due(ctx); err != nil {
		return nil, err
	}
	return txn.View(ctx, c.account.DB, func(tx *txn.Tx) (asked []outbox.ID, err error) {
		all, err := records.UsersOf(tx, users...)
		for _, u := range all {
			if id := outbox.ID(u.Query); id != (outbox.ID{}) && !slices.Contains(asked, id) {
				asked = append(asked, id)
			}
		}
		return asked, err
	})
}

// claim asks for keys of devices without a session, and plans what becomes of them:
// for those that were asked for before and gave none nobody waits. One that has a
// session by now is given the key after all.
func (c *call) claim(ctx context.Context, p *plan) (asked []outbox.ID, waits bool, err error) {
	if len(p.missing) == 0 {
		return nil, false, nil
	}
	slices.SortFunc(p.missing, byName)
	standings, err := c.claims.Request(ctx, p.missing...)
	if err != nil {
		return nil, false, err
	}
	now := c.account.Store.Now()
	for _, s := range standings {
		if s.State == claims.Asked && !slices.Contains(asked, s.Request) {
			asked = append(asked, s.Request)
		}
		switch {
		case s.State == claims.Ready:
			p.give = append(p.give, wanting{to: s.Device, claimed: true})
			continue
		case s.Waits():
			waits = true
			p.newcomer = p.newcomer || !p.told[s.Device.Name]
			continue
		case s.State == claims.Paused:
			p.retryAt(later(s.Again, now.Add(time.Second)))
		case s.State == claims.Damaged:
			p.retryAt(now.Add(maxRetry))
			p.damaged = append(p.damaged, s.Err)
		default:
			p.retryAt(now.Add(15 * time.Second))
		}
		if !p.told[s.Device.Name] {
			p.withhold = append(p.withhold, refusal{s.Device, group.NoOlm})
		}
	}
	return asked, waits, nil
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// finished returns a room after all that was planned was done.
func (p *plan) finished(room records.Room, asked []outbox.ID, waits bool) records.Room {
	room.Asking = asked[:min(len(asked), records.MaxAsking)]
	switch {
	case !waits:
		room.Shared, room.Everywhere, room.Members, room.Retry = p.changed, p.everywhere, p.digest, p.retry
	case p.newcomer || room.Members != p.digest:
		room.Shared = 0 // with somebody it was not, even if with all of another list
	}
	return room
}

// finish notes that all was shared, if nothing has changed since it was planned, or
// for which requests somebody waits.
func (c *call) finish(ctx context.Context, p *plan, asked []outbox.ID, waits bool) error {
	return c.account.Do(ctx, func(tx *txn.Tx) error {
		s, err := c.current(tx, p)
		if err != nil {
			return err
		}
		room := p.finished(s.room, asked, waits)
		if slices.Equal(room.Asking, s.room.Asking) && room.Shared == s.room.Shared && room.Everywhere == s.room.Everywhere &&
			room.Members == s.room.Members && room.Retry.Equal(s.room.Retry) {
			return nil
		}
		return records.Rooms.Put(tx, room)
	})
}
