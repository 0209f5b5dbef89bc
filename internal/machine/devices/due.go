package devices

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// askShare is what asking for a user takes of a commit, which may look at an earlier
// request for it.
var askShare = machine.Share{Bytes: records.UserShare.Bytes, Writes: 2, Checks: 3}

// serverWait is how long a server should wait for others, in milliseconds.
const serverWait = 10_000

// Due makes requests for all users who are outdated and for whom none is under way,
// at most device.MaxQuery in each, and fewer where servers refused to answer.
func (q *Queries) Due(ctx context.Context) error {
	due, err := txn.View(ctx, q.account.DB, q.find)
	if err == nil && due.lost {
		if err = q.outdateAll(ctx); err == nil {
			due, err = txn.View(ctx, q.account.DB, q.find)
		}
	}
	if err != nil {
		return err
	}
	if due.listed {
		if err := q.noteListed(ctx, due.epoch); err != nil {
			return err
		}
	}
	for together, users := range due.users {
		for some := range slices.Chunk(users, min(together, q.account.Store.PerCommit(askShare))) {
			if err := q.ask(ctx, some); err != nil {
				return err
			}
		}
	}
	return nil
}

// due is who is to be asked for.
type due struct {
	epoch  record.Order
	users  map[int][]matrix.UserID // by how many are asked for together
	listed bool                    // all users know of the epoch, and Epoch does not say so
	lost   bool                    // nobody knows since when all are outdated
}

// outdateAll writes anew since when all users are outdated, where that cannot be read:
// no answer would cover a time that is always now.
func (q *Queries) outdateAll(ctx context.Context) error {
	return q.account.Do(ctx, func(tx *txn.Tx) error {
		v, err := q.account.SendingRaised(tx)
		if err != nil {
			return err
		}
		_, _, err = records.Tracking.Get(tx)
		if !machine.IsDamage(err) && !machine.IsSetAside(err) {
			return err
		}
		q.account.Store.Tell(tx, []error{err})
		return AllOutdated(tx, q.account, v)
	})
}

// find looks on the list of the outdated, and at all users where that may not have
// all of them.
func (q *Queries) find(tx *txn.Tx) (d due, err error) {
	v, err := q.account.SendingRaised(tx)
	if err != nil {
		return d, err
	}
	if _, _, err := records.Tracking.Get(tx); machine.IsDamage(err) || machine.IsSetAside(err) {
		return due{lost: true}, nil
	}
	epoch, err := records.EpochOf(tx, q.account, v)
	if err != nil {
		return d, err
	}
	d = due{epoch: epoch.All, users: map[int][]matrix.UserID{}, listed: epoch.Listed < epoch.All}
	var damaged machine.Damages
	names, err := q.waiting(tx, &damaged)
	if err != nil {
		return d, err
	}
	if d.listed {
		behind, err := usersBehind(tx, epoch.All, &damaged)
		if err != nil {
			return d, err
		}
		d.listed = len(behind) == 0
		names = append(names, behind...)
	}
	slices.Sort(names)
	all, err := records.UsersOf(tx, slices.Compact(names)...)
	if err != nil {
		return d, err
	}
	for _, u := range all {
		u, err := q.alive(tx, u)
		if err != nil {
			return d, err
		}
		if u.Due(epoch.All, q.account.Store.Now()) {
			d.users[u.Together()] = append(d.users[u.Together()], u.User)
		}
	}
	q.account.Store.Tell(tx, damaged.All())
	return d, nil
}

// waiting are the users on the list whose time has come, and the own user, who needs
// no list.
func (q *Queries) waiting(tx *txn.Tx, damaged *machine.Damages) ([]matrix.UserID, error) {
	users := []matrix.UserID{q.account.Name.User}
	now := q.account.Store.Now()
	for w, err := range records.Outdated.Scan(tx) {
		if err != nil && !damaged.Note(err) {
			return nil, err
		}
		if err == nil && w.Due(now) {
			users = append(users, w.User)
		}
	}
	return users, nil
}

// usersBehind are those who do not know of the last time when all were outdated.
func usersBehind(tx *txn.Tx, epoch record.Order, damaged *machine.Damages) (users []matrix.UserID, err error) {
	for t, err := range records.Users.Scan(tx) {
		if err != nil && !damaged.Note(err) {
			return nil, err
		}
		if err == nil && t.Left.IsZero() && t.Epoch < epoch {
			users = append(users, t.User)
		}
	}
	return users, nil
}

// alive returns the user as one for whom no query is under way if its request is not
// there any more, or cannot be handed out. A record that is lost begins anew, and the
// own user is followed without a word of anybody.
func (q *Queries) alive(tx *txn.Tx, u records.User) (records.User, error) {
	if u.Lost != nil || u.User == q.account.Name.User {
		u.Tracking = u.Track()
	}
	if u.Query == (device.Query{}) {
		return u, nil
	}
	r, there, err := outbox.Find(tx, outbox.ID(u.Query))
	if there && !r.Lease.Lasts(q.account.Store.Now()) {
		_, there, err = records.RequestBodies.Get(tx, r.ID)
	}
	if err != nil && !machine.IsDamage(err) && !machine.IsSetAside(err) {
		return u, err
	}
	if !there {
		u.Tracking = u.Forgotten()
	}
	return u, nil
}

// noteListed notes that no user is behind an epoch any more, so that nobody looks at
// all of them until the next.
func (q *Queries) noteListed(ctx context.Context, epoch record.Order) error {
	return q.account.Do(ctx, func(tx *txn.Tx) error {
		v, err := q.account.Active(tx)
		if err != nil {
			return err
		}
		e, err := records.EpochOf(tx, q.account, v)
		if err != nil || e.All != epoch || e.Listed == epoch {
			return err
		}
		e.Listed = epoch
		return records.Tracking.Put(tx, e)
	})
}

// ask makes one request for those of the users who are still to be asked for.
func (q *Queries) ask(ctx context.Context, users []matrix.UserID) error {
	return q.account.Do(ctx, func(tx *txn.Tx) error {
		v, err := q.account.SendingRaised(tx)
		if err != nil {
			return err
		}
		epoch, err := records.EpochOf(tx, q.account, v)
		if err != nil {
			return err
		}
		all, err := records.UsersOf(tx, users...)
		if err != nil {
			return err
		}
		var still []records.User
		for _, u := range all {
			first := !u.Followed() // the own user
			if u, err = q.alive(tx, u); err != nil {
				return err
			}
			if !u.Due(epoch.All, q.account.Store.Now()) {
				continue
			}
			if still = append(still, u); first {
				err = records.InNoRoom(tx, u.User)
			}
			if err != nil {
				return err
			}
		}
		if len(still) == 0 {
			return nil
		}
		return q.add(tx, v, still, epoch.All)
	})
}

func (q *Queries) add(tx *txn.Tx, v account.Account, users []records.User, epoch record.Order) error {
	body := struct {
		Timeout int                        `json:"timeout"`
		Devices map[matrix.UserID][]string `json:"device_keys"`
	}{serverWait, map[matrix.UserID][]string{}}
	var names []matrix.UserID
	for _, u := range users {
		body.Devices[u.User] = []string{}
		names = append(names, u.User)
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	id, err := outbox.Add(tx, q.account, v, outbox.New{Kind: outbox.Query, Body: raw, Data: encodeUsers(names)})
	if err != nil {
		return err
	}
	for _, u := range users {
		if err := records.PutUser(tx, u.Ask(device.Query(id), epoch)); err != nil {
			return err
		}
	}
	return nil
}
