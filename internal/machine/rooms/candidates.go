package rooms

import (
	"cmp"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// refusal is a device that is not to have the key.
type refusal struct {
	to   device.Keys
	code group.Code
}

// wanting is a device that is to have the key, and what it was told of it.
type wanting struct {
	to      device.Keys
	told    group.Outcome
	claimed bool // there is a session, or was, after a key was asked for
}

// byName puts devices in an order that all processes have, so that those that share
// at once do not do the same in another order.
func byName(a, b device.Keys) int {
	return cmp.Or(cmp.Compare(a.User, b.User), cmp.Compare(a.Device, b.Device))
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
	p.known = len(all)
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
		p.give = append(p.give, wanting{to: d.Keys, told: share.Outcome})
	}
	return nil
}
