package rooms

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Sharing is how far sharing a key has come.
type Sharing struct {
	Session group.SessionID
	// Done: everybody has the key, or is known not to get it now.
	Done bool
	// Requests have no answer yet. Where Done is true nobody waits for them.
	Requests []outbox.ID
	// NobodyVerified: only verified devices are to have the key, and the own identity is
	// not, so that nobody is.
	NobodyVerified bool
}

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
		return false, errors.Join(c.setUp(ctx, group.Kept, group.SessionID{}), c.follow(ctx))
	case p.rotate != group.Kept:
		return false, c.setUp(ctx, p.rotate, p.session)
	}
	c.tell(ctx, p)
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
	if whole, err := c.give(ctx, p); !whole || err != nil {
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
// for those that were asked for before and gave none nobody waits.
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
			p.give = append(p.give, s.Device)
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

// finish notes that all was shared, if nothing has changed since it was planned, or
// for which requests somebody waits.
func (c *call) finish(ctx context.Context, p *plan, asked []outbox.ID, waits bool) error {
	return c.account.Do(ctx, func(tx *txn.Tx) error {
		s, err := c.current(tx, p)
		if err != nil {
			return err
		}
		room := s.room
		room.Asking = asked[:min(len(asked), records.MaxAsking)]
		switch {
		case !waits:
			room.Shared, room.Everywhere, room.Members, room.Retry = p.changed, p.everywhere, p.digest, p.retry
		case p.newcomer || room.Members != p.digest:
			room.Shared = 0 // with somebody it was not, even if with all of another list
		}
		if slices.Equal(room.Asking, s.room.Asking) && room.Shared == s.room.Shared && room.Everywhere == s.room.Everywhere &&
			room.Members == s.room.Members && room.Retry.Equal(s.room.Retry) {
			return nil
		}
		return records.Rooms.Put(tx, room)
	})
}

// current reads the state, and fails with errChanged if the plan is of another.
func (c *call) current(tx *txn.Tx, p *plan) (state, error) {
	s, err := c.read(tx)
	if err != nil {
		return s, err
	}
	if !s.known || !s.has || s.uncounted || s.room.Changed != p.changed || s.everywhere != p.everywhere || s.out.ID() != p.session ||
		s.due(c.account.Store.Now()) != group.Kept {
		return s, errChanged
	}
	return s, nil
}

// outcome says how far it has come.
func (c *call) outcome(ctx context.Context) (Sharing, error) {
	return txn.View(ctx, c.account.DB, func(tx *txn.Tx) (Sharing, error) {
		s, err := c.read(tx)
		if err != nil {
			return Sharing{}, err
		}
		nobody, err := c.nobodyVerified(tx, s.room)
		if err != nil {
			return Sharing{}, err
		}
		open, err := unanswered(tx, s.room)
		done := s.has && s.whole() && s.due(c.account.Store.Now()) == group.Kept
		return Sharing{Session: s.out.ID(), Done: done, Requests: open, NobodyVerified: nobody}, err
	})
}

// nobodyVerified reports whether a room's key is for verified devices, and there can be
// none. Who is to be verified by what cannot be read is not.
func (c *call) nobodyVerified(tx *txn.Tx, r records.Room) (bool, error) {
	if r.Strategy != group.Verified {
		return false, nil
	}
	own, err := records.IdentityOf(tx, c.account.Name.User)
	if err != nil && !machine.IsDamage(err) {
		return false, err
	}
	return err != nil || !own.IsVerified(own), nil
}

// unanswered returns the requests of a room that are still there.
func unanswered(tx *txn.Tx, r records.Room) (open []outbox.ID, err error) {
	for _, id := range slices.Concat(r.Waiting, r.Asking) {
		_, there, err := outbox.Find(tx, id)
		if err != nil && !machine.IsDamage(err) {
			return nil, err
		}
		if there {
			open = append(open, id)
		}
	}
	return open, nil
}

// setUp sees to it that there is a session that may be used, under the settings that
// are asked for; why is that another one than old is needed. What was shared of that
// one stays with it.
func (c *call) setUp(ctx context.Context, why group.Why, old group.SessionID) error {
	return c.account.Do(ctx, func(tx *txn.Tx) error {
		s, err := c.read(tx)
		if err != nil {
			return err
		}
		if s.uncounted {
			if err := records.CountEverywhere(tx); err != nil {
				return err
			}
		}
		next, err := c.settings.of(tx, s.room)
		if err != nil {
			return err
		}
		same := s.known && sameRules(next, s.room)
		s.room = next
		why := why
		if s.has && (why == group.Kept || s.out.ID() != old) {
			why = s.due(c.account.Store.Now())
		}
		switch {
		case !s.has || why != group.Kept:
			return c.begin(tx, s, why)
		case same:
			return nil
		}
		return records.Rooms.Put(tx, next.Change())
	})
}

// begin begins a session. Nobody has it yet.
func (c *call) begin(tx *txn.Tx, s state, why group.Why) error {
	now := c.account.Store.Now()
	switch {
	case s.has:
		if err := records.OldOutbound.Put(tx, s.out.Retire(why, now)); err != nil {
			return err
		}
	case s.lost != nil:
		if err := c.setOutboundAside(tx, s.lost); err != nil {
			return err
		}
	}
	sender, err := group.NewSender(c.account.Store.Rand)
	if err != nil {
		return err
	}
	at, err := c.account.Moment(tx, s.v, 0)
	if err != nil {
		return err
	}
	out, err := group.NewOutbound(c.room, sender, s.room.Settings(), at, s.v.Lineage().KeysFrom)
	if err != nil {
		return err
	}
	if err := records.Outbound.Put(tx, out); err != nil {
		return err
	}
	own, err := group.NewInbound(c.room, group.NewCopy(sender.Key(), group.Source{
		Provenance: group.Direct, Sender: s.v.Identity(), Claimed: s.v.Fingerprint(), SharedHistory: out.SharedHistory(),
	}))
	if err != nil {
		return err
	}
	if err := records.GroupIns.Join(tx, own); err != nil {
		return err
	}
	room := s.room.Change()
	room.Shared, room.Waiting, room.Asking, room.Retry = 0, nil, nil, time.Time{}
	return records.Rooms.Put(tx, room)
}

// setOutboundAside keeps a copy of a session that cannot be read: another takes its
// place.
func (c *call) setOutboundAside(tx *txn.Tx, why error) error {
	key, err := records.Outbound.Key(tx, c.room)
	if err != nil {
		return err
	}
	version, err := records.Outbound.Version(tx, c.room)
	if err != nil {
		return err
	}
	_, err = machine.SetAside(tx, c.account, key, version, machine.Aside{Why: why.Error()})
	return err
}

// followShare is what beginning to follow a member takes of a commit.
var followShare = machine.Share{
	Bytes: 5<<10 + devices.TrackShare.Bytes, Writes: 1 + devices.TrackShare.Writes, Checks: 1 + devices.TrackShare.Checks,
}

// follow sees to it that changes of the members' devices are noticed, and mark the
// room.
func (c *call) follow(ctx context.Context) error {
	all, err := txn.View(ctx, c.account.DB, func(tx *txn.Tx) ([]matrix.UserID, error) {
		s, err := c.read(tx)
		if err != nil {
			return nil, err
		}
		return c.unprepared(tx, c.list(s.room))
	})
	if err != nil {
		return err
	}
	for some := range slices.Chunk(all, c.account.Store.PerCommit(followShare)) {
		err := c.account.Do(ctx, func(tx *txn.Tx) error {
			refs := []txn.Ref{c.account.Ref()}
			for _, user := range some {
				refs = append(refs, records.Members.Ref(user), records.Users.Ref(user))
			}
			if err := tx.Prefetch(refs...); err != nil {
				return err
			}
			if _, err := c.account.SendingRaised(tx); err != nil {
				return err
			}
			for _, user := range some {
				if err := records.Enrol(tx, user, c.room); err != nil {
					return err
				}
			}
			return devices.Track(tx, some...)
		})
		if err != nil {
			return err
		}
	}
	return nil
}
