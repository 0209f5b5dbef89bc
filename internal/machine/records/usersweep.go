package records

import (
	"context"
	"fmt"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// leftMemory is how long the devices of a user are kept whom nobody tracks.
const leftMemory = 180 * 24 * time.Hour

// sweepUsers forgets the users who left long ago, with those of their devices with
// which there are no sessions, and with their identities, unless somebody verified
// them. Who left in the future left now.
func sweepUsers(ctx context.Context, s *Sweep) error {
	if err := leaveIdle(ctx, s); err != nil {
		return err
	}
	left, err := machine.Change[matrix.UserID, device.Tracking]{
		Records: &Users, Each: UserShare, Damaged: &s.Damaged,
		If: func(_ *txn.Tx, t device.Tracking) (bool, error) {
			return t.Left.After(s.Now) || !t.Left.IsZero() && s.Now.Sub(t.Left) >= leftMemory, nil
		},
	}.Find(ctx, s.Account)
	if err != nil {
		return err
	}
	for _, user := range left {
		if err := forgetUser(ctx, s, user); err != nil {
			return fmt.Errorf("user %s: %w", user, err)
		}
	}
	return nil
}

// leaveIdle ends the tracking of users to whom nothing is sent and from whom nothing
// came: who is in no room in which a key was shared, and has no device with which
// there are sessions. Strangers are followed for one message, and their sessions are
// swept.
func leaveIdle(ctx context.Context, s *Sweep) error {
	var damaged machine.Damages
	users, err := txn.View(ctx, s.Account.DB, func(tx *txn.Tx) (idle []matrix.UserID, err error) {
		damaged = machine.Damages{}
		for t, err := range Users.Scan(tx) {
			if err != nil && !damaged.Note(err) {
				return nil, err
			}
			if err != nil || !t.Left.IsZero() || t.User == s.Account.Name.User {
				continue
			}
			is, err := isIdle(tx, t.User)
			if err != nil && !damaged.Note(err) {
				return nil, err
			}
			if is && err == nil {
				idle = append(idle, t.User)
			}
		}
		return idle, nil
	})
	s.Damaged.Add(damaged.All()...)
	if err != nil {
		return err
	}
	leave := machine.Change[matrix.UserID, device.Tracking]{
		Records: &Users, Each: machine.Share{Bytes: UserShare.Bytes, Writes: 2, Checks: 2}, Damaged: &s.Damaged,
		If: func(tx *txn.Tx, t device.Tracking) (bool, error) {
			member, err := inAnyRoom(tx, t.User)
			return t.Left.IsZero() && !member && err == nil, err
		},
		Do: func(tx *txn.Tx, t device.Tracking) error { return PutUser(tx, t.Leave(s.Now)) },
	}
	_, err = leave.Named(ctx, s.Account, users)
	return err
}

// isIdle reports whether a user has nothing to do with us.
func isIdle(tx *txn.Tx, user matrix.UserID) (bool, error) {
	if member, err := inAnyRoom(tx, user); member || err != nil {
		return false, err
	}
	all, damaged, err := DevicesOf(tx, user)
	if err != nil || damaged.Len() > 0 {
		return false, err
	}
	keys := make([]ratchet.PublicKey, len(all))
	for i, d := range all {
		keys[i] = d.Curve25519
	}
	found, err := Peers.GetAll(tx, keys...)
	for _, f := range found {
		if f.OK || f.Err != nil {
			return false, nil
		}
	}
	return err == nil, err
}

func forgetUser(ctx context.Context, s *Sweep, user matrix.UserID) error {
	kept := 0
	all, err := txn.View(ctx, s.Account.DB, func(tx *txn.Tx) ([]device.Name, error) {
		var names []device.Name
		found, damaged, err := DevicesOf(tx, user)
		for _, d := range found {
			names = append(names, d.Name)
		}
		kept = damaged.Len()
		return names, err
	})
	if err != nil {
		return err
	}
	forget := machine.Change[device.Name, device.Device]{
		Records: &Devices, Each: forgetShare, Damaged: &s.Damaged,
		If: func(tx *txn.Tx, d device.Device) (bool, error) {
			t, err := UsersOf(tx, user)
			if err != nil || t[0].Left.IsZero() || t[0].Left.After(s.Now) {
				return false, err
			}
			_, met, err := Peers.Get(tx, d.Curve25519)
			return !met && err == nil, err
		},
		Do: ForgetDevice,
	}
	n, err := forget.Named(ctx, s.Account, all)
	if err != nil {
		return err
	}
	return s.Account.Do(ctx, func(tx *txn.Tx) error { return forgetTracking(tx, s, user, kept == 0 && n == len(all)) })
}

// forgetShare is what forgetting a device takes: it, its owner, its peer and its
// user are looked at.
var forgetShare = machine.Share{Bytes: 8 << 10, Writes: 2, Checks: 4}

// forgetTracking ends what forgetUser began, if nothing is left of the user.
func forgetTracking(tx *txn.Tx, s *Sweep, user matrix.UserID, all bool) error {
	if _, err := s.Account.Active(tx); err != nil {
		return err
	}
	t, _, err := Users.Get(tx, user)
	if machine.IsDamage(err) || machine.IsSetAside(err) || err == nil && t.Left.IsZero() {
		return nil
	}
	if err != nil {
		return err
	}
	if t.Left.After(s.Now) {
		t.Left = s.Now
		return PutUser(tx, t)
	}
	if !all {
		return nil
	}
	k, known, err := Identities.Get(tx, user)
	if err != nil && !machine.IsDamage(err) && !machine.IsSetAside(err) {
		return err
	}
	if known && k.Verified == (account.VerifyKey{}) {
		if err := Identities.Delete(tx, user); err != nil {
			return err
		}
	}
	if err := Users.Delete(tx, user); err != nil {
		return err
	}
	if err := forgetMember(tx, user); err != nil {
		return err
	}
	return Outdated.Delete(tx, user)
}
