package receive

import (
	"context"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/syncresponse"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// What the end of a response takes of a commit, beside what follows from its rooms
// and users, and what follows from each of these: an event of a room, or a user.
var (
	ending   = machine.Share{Bytes: records.SyncShare.Bytes + 4096, Writes: 8, Checks: 12}
	eachPart = machine.Share{Bytes: 4096, Writes: 4, Checks: 6}
)

// few is how many rooms' events and users are taken in with the token: more have
// commits of their own before.
const few = 100

// end ends the response in commits of its own, unless it ended with the last event.
func (c *call) end(ctx context.Context) error {
	if c.ended {
		return nil
	}
	if most := c.mostParts(); c.weight() > most {
		if err := c.takeInParts(ctx, most); err != nil {
			return err
		}
	}
	return c.account.Do(ctx, c.endNow)
}

// mostParts is how many parts of rooms and users one commit takes beside the end.
func (c *call) mostParts() int {
	most := c.account.Store.DB.Store().Limits()
	return max(1, min(few, (most.Checks-ending.Checks)/eachPart.Checks, (most.Writes-ending.Writes)/eachPart.Writes,
		(most.Bytes-ending.Bytes)/eachPart.Bytes))
}

// weight is how much follows from rooms and users.
func (c *call) weight() int {
	n := len(c.parsed.Changed) + len(c.parsed.Left)
	for _, r := range c.parsed.Rooms {
		n += 1 + len(r.Events)
	}
	return n
}

// endIn ends the response in the commit of its last event, if that takes it.
func (c *call) endIn(tx *txn.Tx) error {
	n := c.weight()
	if n > few || !tx.Room(ending.Writes+n*eachPart.Writes, ending.Checks+n*eachPart.Checks) {
		return nil
	}
	return c.endNow(tx)
}

// endNow moves the token on, and does what counts only if it does: what a response
// says whose token was overtaken, the other one has said or the next one will. That
// somebody's devices may have changed always counts.
func (c *call) endNow(tx *txn.Tx) error {
	v, err := c.active(tx)
	if err != nil {
		return err
	}
	s, err := records.ReadSync(tx)
	if err != nil {
		return err
	}
	current := c.service != nil || c.ticket.current(s) && (!c.named || s.Taking == c.name)
	if !c.taken {
		err = c.takePart(tx, v, part{c.parsed.Rooms, c.parsed.Changed, c.parsed.Left}, current)
	}
	if err == nil && current {
		err = c.atToken(tx, v)
	}
	if err != nil {
		return err
	}
	next, advanced := c.advance(s, current)
	tx.OnCommit(func() { c.ended, c.out.Advanced = true, advanced })
	if next.Same(s) {
		return nil
	}
	return records.Sync.Put(tx, next)
}

// advance is the state after the response, and whether it is all taken in then.
func (c *call) advance(s records.SyncState, current bool) (records.SyncState, bool) {
	if c.service == nil {
		return c.ticket.advance(s, c.parsed, current)
	}
	c.service.Returned = c.returned
	return s.Add(*c.service), true
}

// atToken does what is of the time of the token: how many keys the server has, and
// that a request without one tells nothing of what changed before it.
func (c *call) atToken(tx *txn.Tx, v account.Account) error {
	if c.service == nil && c.ticket.first() {
		if err := c.passOver(tx, c.others.AllOutdated(tx)); err != nil {
			return err
		}
	}
	var count *int
	if c.parsed.Counts != nil {
		n := c.parsed.Counts[signedCurve25519]
		count = &n
	}
	if c.ticket.Uploads == nil || count == nil && c.parsed.Unused == nil {
		return nil
	}
	return c.passOver(tx, c.others.SawCounts(tx, v, *c.ticket.Uploads, count, c.parsed.Unused))
}

// passOver lets damage of one thing not keep the others from being done.
func (c *call) passOver(tx *txn.Tx, err error) error {
	if machine.IsDamage(err) || machine.IsSetAside(err) {
		c.account.Store.Tell(tx, []error{err})
		return nil
	}
	return err
}

// signedCurve25519 is the algorithm of our one-time keys.
const signedCurve25519 = "signed_curve25519"

// part is what one commit takes of rooms and users.
type part struct {
	rooms         []syncresponse.Room
	changed, left []matrix.UserID
}

// takePart hands rooms and users to those whom they are for.
func (c *call) takePart(tx *txn.Tx, v account.Account, p part, current bool) error {
	for _, u := range p.changed {
		if err := c.passOver(tx, c.others.Outdated(tx, u)); err != nil {
			return err
		}
	}
	if !current {
		return nil
	}
	for _, r := range p.rooms {
		if err := c.passOver(tx, c.others.Room(tx, v, r, c.response)); err != nil {
			return err
		}
	}
	for _, u := range p.left {
		if err := c.passOver(tx, c.others.Left(tx, u)); err != nil {
			return err
		}
	}
	return nil
}

// takeInParts takes in rooms and users in commits of so many parts. It gives up when
// the token was overtaken, or when another call is at it.
func (c *call) takeInParts(ctx context.Context, most int) error {
	c.taken = true
	overtaken := false
	for _, p := range c.parts(most) {
		gone, err := txn.Do(ctx, c.account.DB, func(tx *txn.Tx) (bool, error) {
			v, err := c.active(tx)
			if err != nil {
				return false, err
			}
			mine, err := c.mine(tx)
			if err != nil {
				return false, err
			}
			return !mine, c.takePart(tx, v, p, mine && !overtaken)
		})
		if err != nil {
			return err
		}
		overtaken = overtaken || gone
	}
	c.named = c.service == nil
	return nil
}

// mine reports whether this call may go on, and notes that it does.
func (c *call) mine(tx *txn.Tx) (bool, error) {
	if c.service != nil {
		return true, nil
	}
	s, err := records.ReadSync(tx)
	if err != nil || !c.ticket.mayTake(s, c.name) || s.Taking == c.name {
		return err == nil && s.Taking == c.name && c.ticket.current(s), err
	}
	s.Taking = c.name
	return true, records.Sync.Put(tx, s)
}

// parts cuts rooms and users into pieces. Events of a room stay in order, and what is
// said of the whole room is said with each piece.
func (c *call) parts(most int) (all []part) {
	for _, r := range c.parsed.Rooms {
		for {
			n := min(len(r.Events), most)
			piece := r
			piece.Events = r.Events[:n:n]
			all = append(all, part{rooms: []syncresponse.Room{piece}})
			if r.Events = r.Events[n:]; len(r.Events) == 0 {
				break
			}
		}
	}
	all = together(all, most)
	for users := range slices.Chunk(c.parsed.Changed, most) {
		all = append(all, part{changed: users})
	}
	for users := range slices.Chunk(c.parsed.Left, most) {
		all = append(all, part{left: users})
	}
	return all
}

// together puts pieces of rooms into one part as long as it is small enough.
func together(pieces []part, most int) (all []part) {
	weight := 0
	for _, p := range pieces {
		w := 1 + len(p.rooms[0].Events)
		if len(all) == 0 || weight+w > most {
			all, weight = append(all, part{}), 0
		}
		last := &all[len(all)-1]
		last.rooms = append(last.rooms, p.rooms...)
		weight += w
	}
	return all
}
