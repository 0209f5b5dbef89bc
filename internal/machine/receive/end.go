package receive

import (
	"context"
	"crypto/sha256"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/syncresponse"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// ending is what the end of a response takes of a commit, beside what follows from
// its rooms and users.
var ending = machine.Share{Bytes: records.SyncShare.Bytes + 16<<10, Writes: 8, Checks: 12}

// end ends the response in commits of its own, unless it ended with the last event.
func (c *call) end(ctx context.Context) error {
	if c.ended {
		return nil
	}
	if parts := c.parts(); len(parts) > 1 {
		if err := c.takeInParts(ctx, parts); err != nil {
			return err
		}
	}
	return c.account.Do(ctx, c.endNow)
}

// endIn ends the response in the commit of its last event, if that takes it.
func (c *call) endIn(tx *txn.Tx) error {
	parts := c.parts()
	if len(parts) > 1 {
		return nil
	}
	cost := ending
	if len(parts) == 1 {
		cost = plus(cost, parts[0].cost)
	}
	if !tx.Room(cost.Writes, cost.Checks) {
		return nil
	}
	err := c.endNow(tx)
	if machine.IsDamage(err) { // of the token, which was looked at first: the events are taken
		return nil
	}
	return err
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
	unread := c.service != nil && machine.IsDamage(err)
	if unread { // it only saves work, and the server would send nothing else before
		c.account.Store.Tell(tx, []error{err})
		err = nil
	}
	if err != nil {
		return err
	}
	held := c.ticket.Hold && c.returned && c.service == nil
	current := c.service != nil || c.ticket.current(s) && (!c.named || s.Taking == c.name)
	if held && !c.named {
		current = c.ticket.mayTake(s, c.nameIt())
	}
	if !c.taken {
		err = c.takePart(tx, v, part{rooms: c.parsed.Rooms, changed: c.parsed.Changed, left: c.parsed.Left}, current)
	}
	if err == nil && current {
		err = c.atToken(tx, v)
	}
	if err != nil {
		return err
	}
	if held {
		return c.hold(tx, s, current)
	}
	next, advanced := c.advance(s, current)
	tx.OnCommit(func() { c.ended, c.out.Advanced = true, advanced })
	if unread || next.Same(s) {
		return nil
	}
	return records.Sync.Put(tx, next)
}

// hold ends the response without its token: it notes that all but that is done, which
// keeps older responses from undoing it.
func (c *call) hold(tx *txn.Tx, s records.SyncState, current bool) error {
	held := &Held{ticket: c.ticket, next: c.parsed.Next, nextToDevice: c.parsed.NextToDevice, name: c.nameIt(), taken: current}
	tx.OnCommit(func() { c.ended, c.out.Held = true, held })
	if !current || s.Taking == held.name {
		return nil
	}
	s.Taking = held.name
	return records.Sync.Put(tx, s)
}

// nameIt names the response, for Taking.
func (c *call) nameIt() [8]byte {
	if c.name == [8]byte{} {
		digest := sha256.Sum256(c.response)
		copy(c.name[:], digest[:])
	}
	return c.name
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
		if err := c.passOver(tx, c.others.AllOutdated(tx, v)); err != nil {
			return err
		}
	}
	var count *int
	if c.parsed.Counts != nil {
		n := c.parsed.Counts[signedCurve25519]
		count = &n
	}
	switch {
	case count == nil && c.parsed.Unused == nil:
		return nil
	case c.service != nil && c.others.SawPushed != nil:
		return c.passOver(tx, c.others.SawPushed(tx, count, c.parsed.Unused))
	case c.ticket.Uploads == nil:
		return nil
	}
	return c.passOver(tx, c.others.SawCounts(tx, v, c.ticket.Uploads, count, c.parsed.Unused))
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
	cost          machine.Share
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

// takeInParts takes in rooms and users in more than one commit. It gives up when the
// token was overtaken, or when somebody is at it with another response.
func (c *call) takeInParts(ctx context.Context, parts []part) error {
	c.nameIt()
	overtaken := false
	for _, p := range parts {
		mine, err := txn.Do(ctx, c.account.DB, func(tx *txn.Tx) (bool, error) {
			v, err := c.active(tx)
			if err != nil {
				return false, err
			}
			mine, err := c.mine(tx)
			if err != nil {
				return false, err
			}
			return mine, c.takePart(tx, v, p, mine && !overtaken)
		})
		if err != nil {
			return err
		}
		overtaken = overtaken || !mine
	}
	c.taken, c.named = true, c.service == nil
	return nil
}

// mine reports whether the rooms of this response may be taken in, and notes that they
// are.
func (c *call) mine(tx *txn.Tx) (bool, error) {
	if c.service != nil {
		return true, nil
	}
	s, err := records.ReadSync(tx)
	if err != nil || !c.ticket.mayTake(s, c.name) {
		return false, err
	}
	if s.Taking == c.name {
		return true, nil
	}
	s.Taking = c.name
	return true, records.Sync.Put(tx, s)
}

// parts shares rooms and users out among commits: as much to each as the engine
// takes beside the end, at least one.
func (c *call) parts() (all []part) {
	most := c.account.Store.DB.Store().Limits()
	add := func(cost machine.Share, to func(*part)) {
		last := len(all) - 1
		if last < 0 || !fits(plus(ending, plus(all[last].cost, cost)), most) {
			all, last = append(all, part{}), last+1
		}
		all[last].cost = plus(all[last].cost, cost)
		to(&all[last])
	}
	for _, r := range c.parsed.Rooms {
		add(c.others.RoomCost(r), func(p *part) { p.rooms = append(p.rooms, r) })
	}
	for _, u := range c.parsed.Changed {
		add(c.others.UserCost, func(p *part) { p.changed = append(p.changed, u) })
	}
	for _, u := range c.parsed.Left {
		add(c.others.UserCost, func(p *part) { p.left = append(p.left, u) })
	}
	return all
}

func plus(a, b machine.Share) machine.Share {
	return machine.Share{Bytes: a.Bytes + b.Bytes, Writes: a.Writes + b.Writes, Checks: a.Checks + b.Checks}
}

// fits reports whether one commit takes so much, with something to spare for what was
// decrypted in it, and without keeping others waiting for long.
func fits(s machine.Share, most kv.Limits) bool {
	return s.Bytes <= most.Bytes/2 && s.Writes <= min(most.Writes, machine.MostPerCommit) && s.Checks <= most.Checks
}
