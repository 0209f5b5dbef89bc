package unwedge

import (
	"context"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Saw takes note of an Olm event that could not be decrypted: of who its sender is, as
// the server says, the key that it says it is from, and the error. It counts if no
// session and no key of ours reads it ([todevice.IsUnreadable]) and the key is the
// sender's; of a device that is not known yet that is judged when it is.
func (u *Unwedging) Saw(tx *txn.Tx, at record.Moment, sender matrix.UserID, key ratchet.PublicKey, why error) error {
	if !todevice.IsUnreadable(why) {
		return nil
	}
	owner, owned, err := records.OwnerOf(tx, key)
	if gone, err := u.passOver(tx, err); gone || err != nil {
		return err
	}
	switch {
	case !owned:
		return u.keep(tx, at, sender, key, why.Error())
	case owns(owner, sender):
		return u.note(tx, at, sender, key, why.Error())
	}
	return nil
}

// note notes that something came from a peer that nobody could read. What comes while
// m.dummy waits to be sent was sent in older sessions: the one that we opened since
// outlives it.
func (u *Unwedging) note(tx *txn.Tx, at record.Moment, user matrix.UserID, key ratchet.PublicKey, why string) error {
	w, ok, err := u.read(tx, key, user)
	if err != nil || !ok {
		return err
	}
	if w.Dummy != (outbox.ID{}) {
		_, waits, err := outbox.Find(tx, w.Dummy)
		if waits || err != nil && !machine.IsDamage(err) {
			return err
		}
	}
	if w.IsWedged() {
		c, err := u.messages.Contact(tx, key)
		if err != nil {
			return err
		}
		if heardIn(c) > w.Last.Order {
			w = w.Well(u.account.Store.Now()) // and wedged anew
		}
	}
	return records.Wedges.Put(tx, w.Seen(at, why))
}

// heardIn returns the order of the newest message of a peer that was read; 0: none was.
func heardIn(c records.Contact) (in record.Order) {
	for _, s := range c.Sessions {
		in = max(in, s.ReceivedIn())
	}
	return in
}

// keep keeps it until the device is known, and sees to it that its user is asked for.
func (u *Unwedging) keep(tx *txn.Tx, at record.Moment, user matrix.UserID, key ratchet.PublicKey, why string) error {
	kept, _, err := records.Unheards.Get(tx, user)
	if err != nil && !machine.IsDamage(err) && !machine.IsSetAside(err) {
		return err
	}
	if err != nil {
		kept = records.Unheard{}
	}
	kept.User = user
	kept = kept.Add(key, at, why)
	if at.Time.Sub(kept.Asked).Abs() >= records.UnheardPause {
		kept.Asked = record.Time(at.Time)
		if err := devices.AskFor(tx, u.account, user); err != nil {
			return err
		}
	}
	return records.Unheards.Put(tx, kept)
}

// Settle judges what was kept of users' devices, now that an answer has shown those
// that there are. It is a [devices.Settle].
func (u *Unwedging) Settle(ctx context.Context, users []matrix.UserID) error {
	for _, user := range users {
		kept, err := txn.View(ctx, u.account.DB, func(tx *txn.Tx) (bool, error) {
			_, kept, err := records.Unheards.Get(tx, user)
			return kept, ignoreDamage(err)
		})
		if err == nil && kept {
			err = u.account.Do(ctx, func(tx *txn.Tx) error { return u.settle(tx, user) })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func ignoreDamage(err error) error {
	if machine.IsDamage(err) || machine.IsSetAside(err) {
		return nil
	}
	return err
}

// settle judges the events of those devices of a user that are known by now. A device
// that is still not known may be in the next answer.
func (u *Unwedging) settle(tx *txn.Tx, user matrix.UserID) error {
	if _, err := u.account.ActiveRaised(tx); err != nil {
		return err
	}
	kept, there, err := records.Unheards.Get(tx, user)
	if err != nil || !there {
		return ignoreDamage(err)
	}
	var left []records.UnheardFrom
	for _, f := range kept.From {
		owner, owned, err := records.OwnerOf(tx, f.Key)
		if ignoreDamage(err) != nil {
			return err
		}
		switch {
		case err != nil || !owned || owner.Open:
			left = append(left, f)
		case owns(owner, user):
			if err := u.note(tx, f.At, user, f.Key, f.Why); err != nil {
				return err
			}
		}
	}
	switch {
	case len(left) == 0:
		return records.Unheards.Delete(tx, user)
	case len(left) < len(kept.From):
		kept.From = left
		return records.Unheards.Put(tx, kept)
	}
	return nil
}

// takeNotices takes in the notices m.no_olm, which nobody signs: they count only for a
// device that we share an encrypted room with.
func (u *Unwedging) takeNotices(ctx context.Context) error {
	take := machine.Change[ratchet.PublicKey, records.NoOlm]{
		Records: &records.NoOlms,
		Each:    machine.Share{Bytes: records.WedgeShare.Bytes, Writes: 2, Checks: 24 + todevice.Each.Checks},
		If:      func(*txn.Tx, records.NoOlm) (bool, error) { return true, nil },
		Do:      u.takeNotice,
	}
	var damaged machine.Damages
	take.Damaged = &damaged
	_, err := take.All(ctx, u.account)
	return err
}

func (u *Unwedging) takeNotice(tx *txn.Tx, n records.NoOlm) error {
	v, err := u.account.ActiveRaised(tx)
	if err != nil {
		return err
	}
	if err := records.NoOlms.Delete(tx, n.Key); err != nil {
		return err
	}
	_, ok, err := u.device(tx, v, n.Key, n.From)
	if err != nil || !ok {
		return err
	}
	shares, err := records.SharesEncryptedRoom(tx, n.From)
	if err != nil || !shares {
		return err
	}
	return u.note(tx, record.Moment{Time: n.At, Order: n.Order}, n.From, n.Key, "the device says that it could not open a session (m.no_olm)")
}

// Reopened takes note that a device, which had sessions with us before, has opened
// another: it is given again over that what it has over the older ones.
func (u *Unwedging) Reopened(tx *txn.Tx, d device.Device, over ratchet.SessionID) error {
	w, ok, err := u.read(tx, d.Curve25519, d.User)
	if err != nil || !ok {
		return err
	}
	w.Again = over
	return records.Wedges.Put(tx, w)
}
