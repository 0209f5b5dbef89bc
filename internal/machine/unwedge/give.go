package unwedge

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/keyrequests"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// list returns the sessions of rooms whose keys a peer is to be given again, the newest
// first. Over a session that we opened these are all that it was given since it was
// heard last; over one that it opened, those that are in use and that it has over older
// ones.
func (u *Unwedging) list(tx *txn.Tx, j judgement) ([]records.RoomSession, error) {
	if j.does != greet && j.does != answer {
		return nil, nil
	}
	names, err := u.sessionsOut(tx, j.does == greet)
	if err != nil {
		return nil, err
	}
	opened := map[ratchet.SessionID]session.Order{}
	for _, s := range j.peer.Sessions {
		opened[s.ID()] = s.CreatedIn()
	}
	over, there := opened[j.over]
	if !there {
		return nil, nil
	}
	var found []group.Share
	var refs []txn.Ref
	for _, n := range names {
		refs = append(refs, records.Shares.Ref(shareName(n, j.device)))
	}
	if err := tx.Prefetch(refs...); err != nil {
		return nil, err
	}
	for _, n := range names {
		share, told, err := records.GivenTo(tx, shareName(n, j.device), j.device.Curve25519)
		if gone, err := u.passOver(tx, err); gone || err != nil {
			if err != nil {
				return nil, err
			}
			continue
		}
		since, known := opened[share.Over]
		older := share.Over != j.over && (!known || since < over)
		if told && share.Outcome == group.Given && older && (j.does == answer || share.At.Order > j.heard) {
			found = append(found, share)
		}
	}
	slices.SortStableFunc(found, func(a, b group.Share) int { return cmp.Compare(b.At.Order, a.At.Order) })
	var all []records.RoomSession
	for _, s := range found[:min(len(found), records.MaxGive)] {
		all = append(all, records.RoomSession{Room: s.Room, ID: s.Session})
	}
	return all, nil
}

func shareName(n records.RoomSession, d device.Device) records.ShareName {
	return records.ShareName{RoomSession: n, User: d.User, Device: d.Device}
}

// sessionsOut names the sessions that we send in, and those that we sent in if they are
// asked for.
func (u *Unwedging) sessionsOut(tx *txn.Tx, old bool) (names []records.RoomSession, err error) {
	var damaged machine.Damages
	for o, err := range records.Outbound.Scan(tx) {
		if err != nil && !damaged.Note(err) {
			return nil, err
		}
		if _, why := o.Retired(); err == nil && (old || why == group.Kept) {
			names = append(names, records.RoomSession{Room: o.Room(), ID: o.ID()})
		}
	}
	if old {
		for o, err := range records.OldOutbound.Scan(tx) {
			if err != nil && !damaged.Note(err) {
				return nil, err
			}
			if err == nil {
				names = append(names, records.RoomSession{Room: o.Room(), ID: o.ID()})
			}
		}
	}
	u.account.Store.Tell(tx, damaged.All())
	return names, nil
}

// mostGiven bounds the room keys that one call gives again: where many peers come apart
// at once it does not go on for minutes, over a network, before anything is sent. What is
// left is given by the next calls, which are made when these were sent.
const mostGiven = 300

// giveAll gives room keys again to all peers that are to be given some, at most mostGiven.
func (u *Unwedging) giveAll(ctx context.Context) error {
	keys, err := txn.View(ctx, u.account.DB, func(tx *txn.Tx) (keys []ratchet.PublicKey, err error) {
		for w, err := range records.Wedges.Scan(tx) {
			if err != nil && !machine.IsDamage(err) {
				return nil, err
			}
			if err == nil && len(w.Give) > 0 {
				keys = append(keys, w.Key)
			}
		}
		return keys, nil
	})
	if err != nil {
		return err
	}
	given := 0
	for _, key := range keys {
		for more := true; more && given < mostGiven; {
			n, err := txn.Do(ctx, u.account.DB, func(tx *txn.Tx) (int, error) { return u.give(tx, key) })
			if err != nil {
				return err
			}
			given, more = given+n, n > 0
		}
	}
	return nil
}

// beside is what giving reads and writes beside the keys: the account, the peer's
// record, its device and whose that is.
var beside = machine.Share{Bytes: records.WedgeShare.Bytes, Writes: 1, Checks: 6}

// give gives a peer as many keys again as one commit takes, and returns how many of those
// on its list were looked at: the ratchet steps, the requests and what is left to be given
// together, so that each is given once whoever is killed.
func (u *Unwedging) give(tx *txn.Tx, key ratchet.PublicKey) (looked int, err error) {
	v, err := u.account.SendingRaised(tx)
	if err != nil {
		return 0, err
	}
	w, there, err := records.Wedges.Get(tx, key)
	if gone, err := u.passOver(tx, err); gone || err != nil || !there || len(w.Give) == 0 {
		return 0, err
	}
	d, ok, err := u.device(tx, v, w.Key, w.User)
	if err != nil {
		return 0, err
	}
	if !ok {
		w.Give = nil // it is no device any more
		return 0, put(tx, w)
	}
	if mute, err := u.isMute(tx, w); mute || err != nil {
		return 0, err
	}
	share := keyrequests.GivingShare
	for n := 0; len(w.Give) > 0 && (n == 0 || tx.Room(share.Writes+beside.Writes, share.Checks+beside.Checks) && n < atOnce); n++ {
		err := u.giveOne(tx, v, n+1, d, w.Give[0])
		if unusable(err) {
			u.account.Store.Tell(tx, []error{err})
			break // it waits until there is a session
		}
		if err != nil {
			return 0, err
		}
		w.Give = slices.Delete(slices.Clone(w.Give), 0, 1)
		looked++
	}
	if looked == 0 {
		return 0, nil
	}
	return looked, put(tx, w)
}

// atOnce bounds the keys of one commit.
const atOnce = 25

// isMute reports that the peer is wedged in all sessions that there are: what is sent in
// them is lost.
func (u *Unwedging) isMute(tx *txn.Tx, w records.Wedge) (bool, error) {
	c, err := u.messages.Contact(tx, w.Key)
	if err != nil || c.Lost != nil {
		return true, err
	}
	s, can := session.Choose(c.Sessions)
	return !can || w.IsWedged() && max(s.CreatedIn(), s.ReceivedIn()) <= w.Last.Order, nil
}

// giveOne gives one key again, if the device has it still.
func (u *Unwedging) giveOne(tx *txn.Tx, v account.Account, place int, d device.Device, n records.RoomSession) error {
	share, told, err := records.GivenTo(tx, shareName(n, d), d.Curve25519)
	if gone, err := u.passOver(tx, err); gone || err != nil || !told || share.Outcome != group.Given {
		return err
	}
	err = u.requests.GiveAgain(tx, v, place, d, share)
	if gone, err := u.passOver(tx, err); gone || err == nil || errors.Is(err, keyrequests.ErrGone) {
		return nil
	}
	return err
}
