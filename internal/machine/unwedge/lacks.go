package unwedge

import (
	"context"
	"errors"
	"time"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/keyrequests"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// askPause is how long nobody is asked for the same key again by itself.
const askPause = time.Hour

// Lacks sees to it that own verified devices are asked for the key of a session that an
// event of a user needs, if some device of the user was wedged lately: what it gave us
// then did not reach us. Where there is none to ask nothing is done.
func (u *Unwedging) Lacks(ctx context.Context, user matrix.UserID, s records.RoomSession) error {
	ask, err := txn.View(ctx, u.account.DB, func(tx *txn.Tx) (bool, error) {
		was, err := u.wasWedged(tx, user)
		if err != nil || !was {
			return false, err
		}
		open, asked, err := records.ReadKeyRequest(tx, u.account, s.ID)
		return !asked || u.account.Store.Now().Sub(open.At).Abs() >= askPause, err
	})
	if err != nil || !ask {
		return err
	}
	if _, err = u.requests.Ask(ctx, s.Room, s.ID); errors.Is(err, keyrequests.ErrNobody) {
		return nil
	}
	return err
}

// wasWedged reports whether something that a user's device sent in the last weeks could
// not be read. What cannot be read here says nothing.
func (u *Unwedging) wasWedged(tx *txn.Tx, user matrix.UserID) (bool, error) {
	now := u.account.Store.Now()
	for w, err := range records.Wedges.Scan(tx) {
		if err != nil && !machine.IsDamage(err) {
			return false, err
		}
		if err == nil && w.User == user && w.Last.Order != 0 && now.Sub(w.Last.Time).Abs() < records.WedgeLife {
			return true, nil
		}
	}
	return false, nil
}
