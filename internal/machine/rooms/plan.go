package rooms

import (
	"cmp"
	"crypto/sha256"
	"slices"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// call is one call of Share.
type call struct {
	*Rooms
	room     matrix.RoomID
	members  []matrix.UserID
	settings Settings
}

// state is what a transaction finds of a room.
type state struct {
	v          account.Account
	room       records.Room
	known      bool
	everywhere uint64
	uncounted  bool // how often everywhere is not known
	out        group.Outbound
	has        bool  // there is a session that can be read
	lost       error // there was one, which is damaged
}

// read reads what every step depends on.
func (c *call) read(tx *txn.Tx) (s state, err error) {
	if err := tx.Prefetch(c.account.Ref(), records.Rooms.Ref(c.room), records.RoomChanges.Ref(), records.Outbound.Ref(c.room)); err != nil {
		return s, err
	}
	v, err := c.account.SendingRaised(tx)
	if err != nil {
		return s, err
	}
	if s, err = readState(tx, v, c.room); err == nil && s.room.Foreign {
		err = roomkeys.ErrAlgorithm
	}
	return s, err
}

func readState(tx *txn.Tx, v account.Account, room matrix.RoomID) (s state, err error) {
	s.v = v
	if s.room, s.known, err = records.ReadRoom(tx, room); err != nil {
		return s, err
	}
	var uncounted error
	if s.everywhere, uncounted, err = records.Everywhere(tx); err != nil {
		return s, err
	}
	s.uncounted = uncounted != nil
	s.out, s.has, err = records.Outbound.Get(tx, room)
	switch {
	case machine.IsDamage(err):
		s.lost, err = err, nil
	case machine.IsSetAside(err):
		err = nil
	}
	return s, err
}

// whole reports whether the session was shared with everybody, and nothing has
// changed since.
func (s state) whole() bool { return s.known && !s.uncounted && s.room.Whole(s.everywhere) }

// due returns why the session is to be replaced, if it is: where nothing is known of
// the room any more nobody knows what it was shared under.
func (s state) due(now time.Time) group.Why {
	if !s.known {
		return group.SettingsChanged
	}
	return s.out.Due(s.room.Settings(), now, s.v.Lineage().KeysFrom)
}

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
	give                []device.Keys
	withhold            []refusal
	missing             []device.Keys // without a session
	wanting             []wanting     // planKeys says whether they have one
	told                map[device.Name]bool
	newcomer            bool // somebody waits who was told nothing of this session
	retry               time.Time
	damaged             []error
}

// refusal is a device that is not to have the key.
type refusal struct {
	to   device.Keys
	code group.Code
}

// wanting is a device that is to have the key, and what it was told of it.
type wanting struct {
	to   device.Keys
	told group.Outcome
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
	if err := prefetchIdentities(tx, list); err != nil {
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
	return p, c.planKeys(tx, p)
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

// shares returns what devices were told of the session. One that cannot be read, or
// was set aside, may be of somebody who is gone.
func (c *call) shares(tx *txn.Tx, p *plan) (map[device.Name]group.Share, error) {
	all := map[device.Name]group.Share{}
	lost, err := records.LostShares(tx, records.RoomSession{Room: c.room, ID: p.session})
	if err != nil {
		return nil, err
	}
	if lost > 0 {
		p.rotate = group.SomebodyLeft
	}
	for share, err := range records.Shares.ScanUnder(tx, txn.PathOf(string(c.room), p.session.String())) {
		switch {
		case machine.IsDamage(err):
			p.rotate = group.SomebodyLeft
			p.damaged = append(p.damaged, err)
		case err != nil:
			return nil, err
		default:
			all[device.Name{User: share.User, Device: share.Device}] = share
		}
	}
	return all, nil
}

// planUser plans what becomes of one user's devices, and takes their shares out of
// those that are left.
func (c *call) planUser(tx *txn.Tx, s state, p *plan, user matrix.UserID, shares map[device.Name]group.Share) error {
	all, damaged, err := records.DevicesOf(tx, user)
	if err != nil {
		return err
	}
	p.damaged = append(p.damaged, damaged.All()...)
	for _, d := range all {
		share, told := shares[d.Name]
		if !told && goneSince(d, s.out.Begun().Time, c.account.Store.Now()) {
			p.rotate = group.SomebodyLeft
		}
		if !d.Usable() || !d.Olm || !d.Megolm || d.Curve25519 == s.v.Identity() {
			continue // its share is one of those that are left
		}
		if told && share.Key != d.Curve25519 {
			continue
		}
		delete(shares, d.Name)
		if err := c.planDevice(tx, s, p, d, share); err != nil {
			return err
		}
	}
	return nil
}

// goneSince reports whether a device is gone since the session began, so that it may have
// its key: if nobody knows that it was told anything of it, that may be lost. A time that
// is not yet was set by a clock that was wrong.
func goneSince(d device.Device, began, now time.Time) bool {
	return d.Gone.After(began) && !d.Gone.After(now)
}

func (c *call) planDevice(tx *txn.Tx, s state, p *plan, d device.Device, share group.Share) error {
	trust, damaged, err := records.TrustOf(tx, c.account, d)
	if err != nil {
		return err
	}
	if damaged != nil {
		p.damaged = append(p.damaged, damaged)
	}
	now := c.account.Store.Now()
	ok, code := c.settings.admits(s.room.Strategy, Candidate{d, trust})
	switch {
	case !ok && share.Outcome.Has():
		p.rotate = group.DeviceNotAllowed
	case !ok && (share.Outcome != group.NotGiven || share.Code != code):
		p.withhold = append(p.withhold, refusal{d.Keys, code})
	case !ok, share.Outcome == group.Given:
	case share.Outcome == group.NotTaken && !due(share.At.Time.Add(maxRetry), now):
		p.retryAt(share.At.Time.Add(maxRetry))
	default:
		p.wanting = append(p.wanting, wanting{d.Keys, share.Outcome})
	}
	return nil
}

// lookAtOnce is how many devices' sessions are read in one round trip.
const lookAtOnce = 128

// planKeys plans giving the devices the key: in a session, or after a claim.
func (c *call) planKeys(tx *txn.Tx, p *plan) error {
	for some := range slices.Chunk(p.wanting, lookAtOnce) {
		keys := make([]device.Keys, len(some))
		for i, w := range some {
			keys[i] = w.to
		}
		standings, err := c.claims.Look(tx, keys...)
		if err != nil {
			return err
		}
		for i, w := range some {
			if standings[i].State == claims.Ready {
				p.give = append(p.give, w.to)
				continue
			}
			p.missing = append(p.missing, w.to)
			p.told[w.to.Name] = w.told == group.NotReached
		}
	}
	return nil
}

// byName puts devices in an order that all processes have, so that those that share
// at once do not do the same in another order.
func byName(a, b device.Keys) int {
	return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Device, b.Device))
}
