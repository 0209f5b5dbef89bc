package rooms

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// followMostly is what beginning to follow a member, who is in few rooms, mostly takes.
var followMostly = machine.Share{Bytes: 2 << 10, Writes: followShare.Writes, Checks: followShare.Checks}

// prepare sets up a session and follows the members, in one commit if that takes them.
func (c *call) prepare(ctx context.Context) error {
	err := error(kv.ErrTooLarge)
	if len(c.members) < c.account.Store.PerCommit(followMostly) {
		err = c.prepareAtOnce(ctx)
	}
	if errors.Is(err, kv.ErrTooLarge) {
		return errors.Join(c.setUp(ctx, group.Kept, group.SessionID{}), c.follow(ctx))
	}
	return err
}

func (c *call) prepareAtOnce(ctx context.Context) error {
	return c.account.Do(ctx, func(tx *txn.Tx) error {
		room, err := c.setUpIn(tx, group.Kept, group.SessionID{})
		if err != nil {
			return err
		}
		some, err := c.unprepared(tx, c.list(room))
		if err != nil || len(some) == 0 {
			return err
		}
		return c.followIn(tx, some)
	})
}

// setUp sees to it that there is a session that may be used, under the settings that
// are asked for; why is that another one than old is needed. What was shared of that
// one stays with it.
func (c *call) setUp(ctx context.Context, why group.Why, old group.SessionID) error {
	return c.account.Do(ctx, func(tx *txn.Tx) error {
		_, err := c.setUpIn(tx, why, old)
		return err
	})
}

// setUpIn is setUp in a transaction, and returns the room.
func (c *call) setUpIn(tx *txn.Tx, why group.Why, old group.SessionID) (records.Room, error) {
	s, err := c.read(tx)
	if err != nil {
		return s.room, err
	}
	if s.uncounted {
		if err := records.CountEverywhere(tx); err != nil {
			return s.room, err
		}
	}
	next, err := c.settings.of(tx, s.room)
	if err != nil {
		return s.room, err
	}
	same := s.known && sameRules(next, s.room)
	s.room = next
	if s.has && (why == group.Kept || s.out.ID() != old) {
		why = s.due(c.account.Store.Now())
	}
	switch {
	case !s.has || why != group.Kept:
		return next, c.begin(tx, s, why)
	case same:
		return next, nil
	}
	return next, records.Rooms.Put(tx, next.Change())
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
			return c.followIn(tx, some)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *call) followIn(tx *txn.Tx, some []matrix.UserID) error {
	for _, user := range some {
		if err := records.Enrol(tx, user, c.room); err != nil {
			return err
		}
	}
	return devices.Track(tx, some...)
}
