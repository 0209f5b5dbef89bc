package devices

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// ErrIdentity: see package pawl.
var ErrIdentity = errors.New("pawl: the user has another master key, or none that is known")

// Accept pins the master key of a user, which is to be this one: that it is another
// than the one that was seen first is no news any more.
func Accept(ctx context.Context, a *machine.Account, user matrix.UserID, master account.VerifyKey) error {
	return judge(ctx, a, user, master, device.Known.Accept)
}

// Verify notes that somebody compared the master key of a user, which is this one.
func Verify(ctx context.Context, a *machine.Account, user matrix.UserID, master account.VerifyKey) error {
	return judge(ctx, a, user, master, device.Known.Verify)
}

func judge(ctx context.Context, a *machine.Account, user matrix.UserID, master account.VerifyKey, next func(device.Known) device.Known) error {
	return records.OnRaised(ctx, a, func() error {
		return a.Do(ctx, func(tx *txn.Tx) error {
			v, err := a.ActiveRaised(tx)
			if err != nil {
				return err
			}
			k, err := records.IdentityOf(tx, user)
			if err != nil {
				return err
			}
			if k.IsZero() || k.Master != master {
				return fmt.Errorf("%w: %s", ErrIdentity, user)
			}
			judged := next(k)
			if judged == k {
				return nil
			}
			if err := records.Identities.Put(tx, judged); err != nil {
				return err
			}
			return changedIdentity(tx, a, v, k, judged)
		})
	})
}

// TakeSignature takes in a signature on the master key of a user, as the next answer will
// show it. It returns whether the identity has it then.
func TakeSignature(ctx context.Context, a *machine.Account, user matrix.UserID, master, by account.VerifyKey, signature account.Signature) (taken bool, err error) {
	err = records.OnRaised(ctx, a, func() error {
		return a.Do(ctx, func(tx *txn.Tx) error {
			taken = false
			v, err := a.ActiveRaised(tx)
			if err != nil {
				return err
			}
			k, err := records.IdentityOf(tx, user)
			if err != nil {
				return err
			}
			own, err := ownOf(tx, v)
			if err != nil {
				return err
			}
			signed, holds := k.Signed(own, by, signature)
			if taken = holds && k.Master == master; !taken || signed == k.Identity {
				return nil
			}
			next := k
			next.Identity = signed
			if err := records.Identities.Put(tx, next); err != nil {
				return err
			}
			return changedIdentity(tx, a, v, k, next)
		})
	})
	return taken && err == nil, err
}

// changedIdentity notes what follows from a user's identity being another, or
// trusted in another way. On the own one rests how far all others are trusted. Whom
// its user-signing key vouches for only answers tell that came when it was known, so
// everybody is asked for once more when it counts: a server that invents such keys
// gains no query by that.
func changedIdentity(tx *txn.Tx, a *machine.Account, v account.Account, from, to device.Known) error {
	if to.User != v.User() {
		return records.MarkRoomsOf(tx, to.User)
	}
	if to.IsVerified(to) && (to.UserSigning != from.UserSigning || !from.IsVerified(from)) {
		if err := records.AllOutdated(tx, a, v); err != nil {
			return err
		}
	}
	return records.MarkAllRooms(tx)
}

// Sign signs a JSON object with the account's device key: a master key, say, that
// was verified. The signature is added to those that it has.
func Sign(ctx context.Context, a *machine.Account, object []byte) ([]byte, error) {
	return txn.Do(ctx, a.DB, func(tx *txn.Tx) ([]byte, error) {
		v, err := a.Sending(tx)
		if err != nil {
			return nil, err
		}
		return v.SignJSON(object)
	})
}

// Shown is a user as somebody may see it.
type Shown struct {
	Identity device.Known
	Verified bool
	Tracking device.Tracking
	State    State
	Devices  []ShownDevice // by their ids
	Damaged  []error
}

// ShownDevice is a device with what is known of who is behind it.
type ShownDevice struct {
	device.Device
	Trust device.Trust
}

// Show reads what is known of a user, in one view.
func Show(ctx context.Context, a *machine.Account, user matrix.UserID) (Shown, error) {
	return txn.View(ctx, a.DB, func(tx *txn.Tx) (Shown, error) { return show(tx, a, user) })
}

func show(tx *txn.Tx, a *machine.Account, user matrix.UserID) (s Shown, err error) {
	v, err := a.Read(tx)
	if err != nil {
		return s, err
	}
	all, damaged, err := records.DevicesOf(tx, user)
	if err != nil {
		return s, err
	}
	own, err := records.IdentityOf(tx, v.User())
	if err != nil && !damaged.Note(err) {
		return s, err
	}
	if s.Identity, err = records.IdentityOf(tx, user); err != nil && !damaged.Note(err) {
		return s, err
	}
	s.Verified = s.Identity.IsVerified(own)
	for _, d := range all {
		s.Devices = append(s.Devices, ShownDevice{d, s.Identity.Of(d, own)})
	}
	found, err := records.UsersOf(tx, user)
	if err != nil {
		return s, err
	}
	if s.Tracking = found[0].Tracking; found[0].Lost != nil {
		damaged.Note(found[0].Lost)
	}
	states, err := StatesOf(tx, a, v, user)
	if err != nil {
		return s, err
	}
	s.State, s.Damaged = states[0], damaged.All()
	return s, nil
}
