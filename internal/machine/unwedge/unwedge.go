package unwedge

import (
	"context"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/keyrequests"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Unwedging is that of an account. Its methods may be called from any number of
// goroutines.
type Unwedging struct {
	account  *machine.Account
	messages *todevice.Messages
	claims   *claims.Claims
	requests *keyrequests.Requests
}

// New returns the unwedging of an account.
func New(a *machine.Account, m *todevice.Messages, c *claims.Claims, r *keyrequests.Requests) *Unwedging {
	return &Unwedging{a, m, c, r}
}

// Due does what is to be done now: it takes in the notices that devices could not open
// a session with us, asks for sessions with peers that are wedged, greets those with
// which there is one by now, and gives room keys again. It may be called at any time by
// any number of processes.
func (u *Unwedging) Due(ctx context.Context) error {
	if err := u.takeNotices(ctx); err != nil {
		return err
	}
	due, err := txn.View(ctx, u.account.DB, u.due)
	if err != nil {
		return err
	}
	for len(due) > 0 {
		n := min(len(due), max(1, u.account.Store.PerCommit(stepShare)))
		err := u.account.Do(ctx, func(tx *txn.Tx) error { return u.steps(tx, due[:n]) })
		if err != nil {
			return err
		}
		due = due[n:]
	}
	return u.giveAll(ctx)
}

// plan is a peer for which something is to be done, with the sessions of rooms whose
// keys it is to be given again if that is still so when it is done. They are looked up
// in the view in which it was seen: what is given later goes over the session that
// there was by then.
type plan struct {
	key  ratchet.PublicKey
	does action
	over ratchet.SessionID
	give []records.RoomSession
}

// due returns the peers for which there is something to be done but giving.
func (u *Unwedging) due(tx *txn.Tx) (all []plan, err error) {
	v, err := u.account.ActiveRaised(tx)
	if err != nil {
		return nil, err
	}
	var damaged machine.Damages
	var known []records.Wedge
	for w, err := range records.Wedges.Scan(tx) {
		if damaged.Note(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		known = append(known, w)
	}
	if err := u.prefetch(tx, known); err != nil {
		return nil, err
	}
	for _, w := range known {
		j, err := u.judge(tx, v, w)
		if err != nil {
			return nil, err
		}
		if j.does == nothing {
			continue
		}
		p := plan{key: w.Key, does: j.does, over: j.over}
		if p.give, err = u.list(tx, j); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	u.account.Store.Tell(tx, damaged.All())
	return all, nil
}

// prefetch reads what judging peers asks for in few round trips, however many they are.
func (u *Unwedging) prefetch(tx *txn.Tx, all []records.Wedge) error {
	var owners, found []txn.Ref
	var peers []ratchet.PublicKey
	for _, w := range all {
		owners, peers = append(owners, records.Owners.Ref(w.Key)), append(peers, w.Key)
	}
	if err := tx.Prefetch(owners...); err != nil {
		return err
	}
	for _, w := range all {
		if owner, owned, err := records.OwnerOf(tx, w.Key); err == nil && owned {
			found = append(found, records.Devices.Ref(owner.Claimers[0]))
		}
	}
	if err := tx.Prefetch(found...); err != nil {
		return err
	}
	return u.messages.Prefetch(tx, peers...)
}

// read reads what is known of a peer that is a device of a user. Where that cannot be
// read, ok is false: nothing is done about the peer before it is repaired, so that the
// limits hold.
func (u *Unwedging) read(tx *txn.Tx, key ratchet.PublicKey, user matrix.UserID) (w records.Wedge, ok bool, err error) {
	w, known, err := records.Wedges.Get(tx, key)
	switch {
	case machine.IsDamage(err):
		u.account.Store.Tell(tx, []error{err})
		return w, false, nil
	case machine.IsSetAside(err), err == nil && !known:
		return records.Wedge{Key: key, User: user}, true, nil
	}
	w.User = user
	return w, err == nil, err
}

// put stores what is known of a peer, if that is anything.
func put(tx *txn.Tx, w records.Wedge) error {
	if w.IsOver() {
		return records.Wedges.Delete(tx, w.Key)
	}
	return records.Wedges.Put(tx, w)
}

// device returns the device that a key belongs to, if it may be sent to.
func (u *Unwedging) device(tx *txn.Tx, v account.Account, key ratchet.PublicKey, user matrix.UserID) (d device.Device, ok bool, err error) {
	owner, owned, err := records.OwnerOf(tx, key)
	if gone, err := u.passOver(tx, err); gone || err != nil || !owned || !owns(owner, user) || key == v.Identity() {
		return d, false, err
	}
	d, known, err := records.Devices.Get(tx, owner.Claimers[0])
	if gone, err := u.passOver(tx, err); gone || err != nil {
		return d, false, err
	}
	return d, known && d.Usable() && d.Curve25519 == key, nil
}

// owns reports whether a key is a user's, for certain.
func owns(o device.Owner, user matrix.UserID) bool {
	return !o.Open && len(o.Claimers) == 1 && o.Claimers[0].User == user
}

// passOver reports that a record cannot be read, or was set aside: without it nothing
// is done.
func (u *Unwedging) passOver(tx *txn.Tx, err error) (gone bool, other error) {
	if machine.IsDamage(err) {
		u.account.Store.Tell(tx, []error{err})
		return true, nil
	}
	if machine.IsSetAside(err) {
		return true, nil
	}
	return false, err
}
