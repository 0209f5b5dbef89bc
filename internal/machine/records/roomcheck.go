package records

import (
	"slices"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// checkRooms: what a room waits for is there, and it knows of no change of all rooms
// that was not counted. A session that waits for a request which is gone would wait for
// ever, and who was to get its key by it has not got it.
func checkRooms(c *Checkup) {
	changes, _, err := RoomChanges.Get(c.Tx)
	counted := err == nil // else complained of by itself, or set aside
	for r := range readable(c, &Rooms) {
		lost := func(id RequestID) bool { s := at(c, &Requests, id); return s == nothing || s == aside }
		if i := slices.IndexFunc(r.Waiting, lost); i >= 0 {
			c.Find(Rooms.Kind, shareAnew(r.ID), "room %s waits for request %s, which is missing", r.ID, r.Waiting[i])
		}
		if counted && r.Everywhere > changes.Count {
			c.Find(RoomChanges.Kind, countOn(r.Everywhere), "room %s knows of a change of all rooms that was not counted", r.ID)
		}
	}
}

// shareAnew gives up the session of a room that waits for a request which is gone.
func shareAnew(room matrix.RoomID) *Fix {
	return inOne("share another key in the room", func(tx *txn.Tx, a *machine.Account) error {
		r, known, err := Rooms.Get(tx, room)
		if err != nil || !known {
			return err
		}
		var waiting []RequestID
		for _, id := range r.Waiting {
			_, there, err := Requests.Get(tx, id)
			if err != nil && !machine.IsSetAside(err) {
				return err
			}
			if there {
				waiting = append(waiting, id)
			}
		}
		if len(waiting) == len(r.Waiting) {
			return nil
		}
		r.Waiting = waiting
		if err := Rooms.Put(tx, r.Change()); err != nil {
			return err
		}
		return giveUpOutbound(tx, a, room)
	})
}

// giveUpOutbound retires the session that is sent in, if there is one: another takes
// its place.
func giveUpOutbound(tx *txn.Tx, a *machine.Account, room matrix.RoomID) error {
	o, ok, err := Outbound.Get(tx, room)
	if gone(err) || err == nil && !ok {
		return nil
	}
	if err != nil {
		return err
	}
	return Outbound.Put(tx, o.Retire(group.Asked, a.Store.Now()))
}

func countOn(seen uint64) *Fix {
	return inOne("mark all rooms", func(tx *txn.Tx, _ *machine.Account) error {
		c, _, err := RoomChanges.Get(tx)
		if err != nil || c.Count >= seen {
			return err
		}
		return RoomChanges.Put(tx, RoomChange{seen + 1})
	})
}

// checkMembers: the rooms in which somebody may have a key of ours are known.
func checkMembers(c *Checkup) {
	for m := range readable(c, &Members) {
		for _, room := range m.Rooms {
			if at(c, &Rooms, room) == nothing {
				c.Find(Members.Kind, dismissFrom(m.User, room), "user %s may have keys of room %s, of which nothing is known", m.User, room)
			}
		}
	}
}

func dismissFrom(user matrix.UserID, room matrix.RoomID) *Fix {
	return inOne("forget that", func(tx *txn.Tx, _ *machine.Account) error {
		if _, known, err := Rooms.Get(tx, room); known || err != nil {
			return err
		}
		return Dismiss(tx, user, room)
	})
}

// checkOldOutbound: a session that was given up is not sent in.
func checkOldOutbound(c *Checkup) {
	for o := range readable(c, &OldOutbound) {
		name := OldOutbound.Name(o)
		if _, why := o.Retired(); why == group.Kept {
			c.Find(OldOutbound.Kind, inOne("note that it was", func(tx *txn.Tx, a *machine.Account) error {
				o, ok, err := OldOutbound.Get(tx, name)
				if err != nil || !ok {
					return err
				}
				return OldOutbound.Put(tx, o.Retire(group.Asked, a.Store.Now()))
			}), "session %s of room %s is among those given up, and was not", name.ID, name.Room)
		}
		if at(c, &Outbound, name.Room) != whole {
			continue
		}
		if now, _, err := Outbound.Get(c.Tx, name.Room); err == nil && now.ID() == name.ID {
			c.Find(Outbound.Kind, inOne("send in another", func(tx *txn.Tx, _ *machine.Account) error {
				now, ok, err := Outbound.Get(tx, name.Room)
				if err != nil || !ok || now.ID() != name.ID {
					return err
				}
				return Outbound.Delete(tx, name.Room)
			}), "session %s of room %s was given up, and is sent in", name.ID, name.Room)
		}
	}
}

// checkShares: what a device was told is of a session that we send in, or sent in, and
// it was given no message that was not sent yet. Whoever may have the key of one that we
// send in is a member, or that they leave would be nobody's business.
func checkShares(c *Checkup) {
	unlisted := map[userIn]bool{}
	for s := range readable(c, &Shares) {
		now, ok, known := c.outbound(RoomSession{s.Room, s.Session})
		if known && !ok {
			c.Find(Shares.Kind, dropShare(Shares.Name(s)),
				"device %s of %s was told of session %s of room %s, which is missing", s.Device, s.User, s.Session, s.Room)
		}
		if now != nil && s.Outcome == group.Given && s.Index > now.Sender().Index() {
			c.Find(Outbound.Kind, giveUpBehind(s), "session %s of room %s is at message %d, and device %s of %s was given it at %d",
				s.Session, s.Room, now.Sender().Index(), s.Device, s.User, s.Index)
		}
		if in := (userIn{s.User, s.Room}); now != nil && !unlisted[in] && isUnlisted(c, *now, s) {
			unlisted[in] = true
			c.Find(Members.Kind, enrolAgain(in), "user %s may have the key of session %s of room %s, and is not listed as a member", s.User, s.Session, s.Room)
		}
	}
}

// userIn is somebody in a room.
type userIn struct {
	user matrix.UserID
	room matrix.RoomID
}

// isUnlisted reports whether somebody who was given the key of the session that we send
// in is in no list of members.
func isUnlisted(c *Checkup, now group.Outbound, s group.Share) bool {
	if _, why := now.Retired(); why != group.Kept || s.Outcome != group.Given || at(c, &Rooms, s.Room) != whole {
		return false // in a room of which nothing is known nothing is sent before it is shared
	}
	if at(c, &Members, s.User) == nothing && at(c, &Users, s.User) == whole {
		return false // complained of with the user
	}
	is, _, err := IsMember(c.Tx, s.User, s.Room)
	return err == nil && !is
}

// enrolAgain lists a member again, and gives up the session: whether the user left
// meanwhile is not known.
func enrolAgain(in userIn) *Fix {
	return inOne("list the user again, and share another key in the room", func(tx *txn.Tx, a *machine.Account) error {
		is, _, err := IsMember(tx, in.user, in.room)
		if err != nil || is {
			return err
		}
		if err := Enrol(tx, in.user, in.room); err != nil {
			return err
		}
		if err := MarkRoom(tx, in.room); err != nil {
			return err
		}
		return giveUpOutbound(tx, a, in.room)
	})
}

// inAllRooms has a user, of whom it is lost in which rooms they are, in all of them.
func inAllRooms(user matrix.UserID) *Fix {
	return inOne("have the user in all rooms", func(tx *txn.Tx, _ *machine.Account) error {
		_, known, err := Members.Get(tx, user)
		if known || err != nil {
			return err
		}
		if err := Members.Put(tx, Member{User: user, Many: true}); err != nil {
			return err
		}
		return MarkAllRooms(tx)
	})
}

// outbound reports whether there is a session that we send in, or sent in, and returns
// it if we do. Known is false where one that cannot be read may be it.
func (c *Checkup) outbound(n RoomSession) (now *group.Outbound, ok, known bool) {
	if at(c, &Outbound, n.Room) == whole {
		if o, _, err := Outbound.Get(c.Tx, n.Room); err == nil && o.ID() == n.ID {
			return &o, true, true
		}
	}
	if at(c, &OldOutbound, n) == whole {
		return nil, true, true
	}
	for _, kind := range []string{Outbound.Kind, OldOutbound.Kind} {
		if c.anyUnread(kind) || c.aside[kind] {
			return nil, false, false
		}
	}
	return nil, false, true
}

// giveUpBehind gives up a session that is behind what a device was given: its record
// went back, and what it would encrypt next may have been sent.
func giveUpBehind(s group.Share) *Fix {
	return inOne("send in another", func(tx *txn.Tx, a *machine.Account) error {
		now, ok, err := Outbound.Get(tx, s.Room)
		if err != nil || !ok || now.ID() != s.Session || s.Index <= now.Sender().Index() {
			return err
		}
		if err := OldOutbound.Put(tx, now.Retire(group.Asked, a.Store.Now())); err != nil {
			return err
		}
		return Outbound.Delete(tx, s.Room)
	})
}

func dropShare(n ShareName) *Fix {
	return inOne("forget it", func(tx *txn.Tx, _ *machine.Account) error {
		if _, ok, err := ReadOutbound(tx, n.RoomSession); ok || err != nil {
			return err
		}
		return Shares.Delete(tx, n)
	})
}
