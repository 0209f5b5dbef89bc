package rooms

import (
	"crypto/sha256"
	"errors"
	"slices"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// plan is what is to be done, as one view has it. It holds as long as the room's
// count of changes does, and that of all rooms.
type plan struct {
	changed, everywhere uint64
	session             group.SessionID
	digest              [32]byte
	whole               bool // there is nothing to do
	unprepared          bool // by setUp or follow
	rotate              group.Why
	awaited             []matrix.UserID // whose devices are not known yet
	give                []wanting
	withhold            []refusal
	missing             []device.Keys // without a session, as far as giving has come
	known               int           // devices of which it is known what they were told
	crowded             bool          // they are too many for one commit to check, now or meanwhile
	told                map[device.Name]bool
	newcomer            bool // somebody waits who was told nothing of this session
	retry               time.Time
	damaged             []error
}

// onlyGives reports whether nothing is to be done but giving the key to those that have
// a session: with the last of them all is finished, in one commit.
func (p *plan) onlyGives() bool {
	return len(p.awaited) == 0 && len(p.withhold) == 0 && len(p.missing) == 0
}

// plan looks at everything on which sharing depends.
func (c *call) plan(tx *txn.Tx) (*plan, error) {
	s, err := c.read(tx)
	if err != nil {
		return nil, err
	}
	now := c.account.Store.Now()
	wanted, err := c.settings.of(tx, s.room)
	if err != nil {
		return nil, err
	}
	if !s.has || !s.known || s.uncounted || !sameRules(wanted, s.room) || s.due(now) != group.Kept {
		return &plan{unprepared: true}, nil
	}
	lost, err := lostRequest(tx, s.room)
	if err != nil || lost {
		return &plan{session: s.out.ID(), rotate: group.SettingsChanged}, err
	}
	list := c.list(s.room)
	p := &plan{changed: s.room.Changed, everywhere: s.everywhere, session: s.out.ID(), digest: digest(list), told: map[device.Name]bool{}}
	if s.whole() && s.room.Members == p.digest && !due(s.room.Retry, now) && c.settings.Allow == nil {
		if p.whole, err = stillAsked(tx, s.room); p.whole || err != nil {
			return p, err
		}
	}
	if unprepared, err := c.unprepared(tx, list); err != nil || len(unprepared) > 0 {
		return &plan{unprepared: true}, err
	}
	shares, err := c.shares(tx, p)
	if err != nil {
		return nil, err
	}
	states, err := devices.StatesOf(tx, c.account, s.v, list...)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(prefetchIdentities(tx, list), c.prefetchDevices(tx, list)); err != nil {
		return nil, err
	}
	for i, user := range list {
		if states[i] == devices.Awaited {
			p.awaited = append(p.awaited, user)
			for name := range shares {
				if name.User == user {
					delete(shares, name) // whether it is gone is not known
				}
			}
			continue
		}
		if err := c.planUser(tx, s, p, user, shares); err != nil {
			return nil, err
		}
	}
	for _, share := range shares { // of devices that are not there
		if share.Outcome.Has() {
			p.rotate = group.SomebodyLeft
		}
	}
	return p, nil
}

// stillAsked reports whether all requests are without an answer by which a room that is
// shared asks for devices again: with one that was answered there may be a session to
// give the key over. Where that cannot be read, the room's Retry decides.
func stillAsked(tx *txn.Tx, r records.Room) (bool, error) {
	for _, id := range r.Asking {
		if _, there, err := outbox.Find(tx, id); err != nil && !machine.IsDamage(err) || err == nil && !there {
			return false, err
		}
	}
	return true, nil
}

func prefetchIdentities(tx *txn.Tx, users []matrix.UserID) error {
	refs := make([]txn.Ref, len(users))
	for i, user := range users {
		refs[i] = records.Identities.Ref(user)
	}
	return tx.Prefetch(refs...)
}

// With so many members or more one scan of the devices of everybody is tried, of whom
// there may be so many for each member.
const (
	manyMembers     = 16
	devicesOfMember = 4
)

// prefetchDevices reads the devices of many members in one scan, if the store does not
// have many more of others. That it did is remembered: an answer that is old costs time.
func (c *call) prefetchDevices(tx *txn.Tx, members []matrix.UserID) error {
	most := int64(devicesOfMember * len(members))
	if len(members) < manyMembers || most <= c.crowd.Load() {
		return nil
	}
	whole, err := records.Devices.ScanAhead(tx, int(most))
	if !whole && err == nil {
		c.crowd.Store(most)
	}
	return err
}

// lostRequest reports whether a request that carries the session's key is not there any
// more, or cannot be read: nobody knows who got the key, and it is waited for in vain.
func lostRequest(tx *txn.Tx, r records.Room) (bool, error) {
	found, err := records.Requests.GetAll(tx, r.Waiting...)
	if err != nil {
		return false, err
	}
	for _, f := range found {
		switch {
		case machine.IsDamage(f.Err), machine.IsSetAside(f.Err), f.Err == nil && !f.OK:
			return true, nil
		case f.Err != nil:
			return false, f.Err
		}
	}
	return false, nil
}

// maxRetry bounds how long a device that was not reached waits.
const maxRetry = 15 * time.Minute

// due reports whether it is time. A time that is further away than any was set by a
// clock that was wrong.
func due(at, now time.Time) bool {
	return !at.IsZero() && (!at.After(now) || at.Sub(now) > maxRetry+time.Minute)
}

func (p *plan) retryAt(at time.Time) {
	if p.retry.IsZero() || at.Before(p.retry) {
		p.retry = at
	}
}

func sameRules(a, b records.Room) bool {
	return a.Encrypted == b.Encrypted && a.Asked == b.Asked && a.Strategy == b.Strategy
}

// list is who is to have the key: the members, but those who left since, and the own
// user.
func (c *call) list(r records.Room) []matrix.UserID {
	list := append(slices.Clone(c.members), c.account.Name.User)
	slices.Sort(list)
	list = slices.Compact(list)
	return slices.DeleteFunc(list, func(u matrix.UserID) bool { return slices.Contains(r.Gone, u) })
}

func digest(list []matrix.UserID) [32]byte {
	h := sha256.New()
	for _, user := range list {
		h.Write([]byte(user))
		h.Write([]byte{0}) // no user id has one
	}
	return [32]byte(h.Sum(nil))
}

// unprepared returns those members whose changes would not be noticed.
func (c *call) unprepared(tx *txn.Tx, list []matrix.UserID) (all []matrix.UserID, err error) {
	var refs []txn.Ref
	for _, user := range list {
		refs = append(refs, records.Members.Ref(user))
	}
	if err := tx.Prefetch(refs...); err != nil {
		return nil, err
	}
	users, err := records.UsersOf(tx, list...)
	if err != nil {
		return nil, err
	}
	for i, user := range list {
		enrolled, _, err := records.IsMember(tx, user, c.room)
		if err != nil {
			return nil, err
		}
		if u := users[i]; !enrolled || u.Lost != nil || u.Changes == 0 || !u.Left.IsZero() {
			all = append(all, user)
		}
	}
	return all, nil
}
