package unwedge

import (
	"errors"
	"log/slog"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// dummy is the type of the event that a new session begins with.
const dummy = "m.dummy"

// stepShare is what one peer takes of a commit, at most: its record, its device and
// whose that is, its sessions of which one is written, what is known of how it answers
// to claims, that it was told that there is no session, and a request.
var stepShare = machine.Share{
	Bytes:  records.WedgeShare.Bytes + todevice.Each.Bytes + claims.RenewShare.Bytes + 4<<10,
	Writes: 1 + todevice.Each.Writes + claims.RenewShare.Writes + 3,
	Checks: 3 + todevice.Each.Checks + claims.RenewShare.Checks + 4,
}

// steps does what is to be done about some peers, if it still is. One request claims
// keys of all that need it.
func (u *Unwedging) steps(tx *txn.Tx, some []plan) error {
	v, err := u.account.SendingRaised(tx)
	if err != nil {
		return err
	}
	var asking []judgement
	var refs []txn.Ref
	for _, p := range some {
		refs = append(refs, records.Wedges.Ref(p.key))
	}
	if err := tx.Prefetch(refs...); err != nil {
		return err
	}
	for i, p := range some {
		w, there, err := records.Wedges.Get(tx, p.key)
		if gone, err := u.passOver(tx, err); gone || err != nil || !there {
			if err != nil {
				return err
			}
			continue
		}
		j, err := u.judge(tx, v, w)
		if err != nil {
			return err
		}
		if j.does == ask {
			asking = append(asking, j)
			continue
		}
		if err := u.step(tx, v, i+1, p, j); err != nil {
			return err
		}
	}
	return u.ask(tx, v, asking)
}

// step does one thing but asking. What was planned holds only of the same session.
func (u *Unwedging) step(tx *txn.Tx, v account.Account, place int, p plan, j judgement) error {
	switch {
	case j.does == nothing, j.does > note && (p.does != j.does || p.over != j.over):
		return nil // another process was first; the next call does what is left
	case j.does == greet:
		if greeted, err := u.greet(tx, v, place, &j); !greeted || err != nil {
			return err
		}
		u.tell(tx, "a new session is used with a device that was wedged", j)
	case j.does == note && j.well:
		u.tell(tx, "a device that was wedged is heard again", j)
	}
	if j.does > note {
		j.next.Give = merge(p.give, j.next.Give)
	}
	return put(tx, j.next)
}

// greet sends m.dummy in the session that there is, which counts as a try whoever has
// asked for it.
func (u *Unwedging) greet(tx *txn.Tx, v account.Account, place int, j *judgement) (bool, error) {
	id, over, err := u.requests.Send(tx, v, place, j.device, dummy, struct{}{})
	if unusable(err) {
		u.account.Store.Tell(tx, []error{err})
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if !j.asked {
		at, err := u.account.Moment(tx, v, place)
		if err != nil {
			return false, err
		}
		j.next = j.next.Try(at, outbox.ID{})
	}
	j.next.Opened, j.next.Dummy = over, id
	return true, records.ForgetTold(tx, j.device.Curve25519)
}

// merge returns both, each once, as many as are given at a time.
func merge(first, then []records.RoomSession) []records.RoomSession {
	all := slices.Clone(first)
	for _, s := range then {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all[:min(len(all), records.MaxGive)]
}

// unusable reports whether an error is of a device and its sessions alone.
func unusable(err error) bool {
	return errors.Is(err, todevice.ErrNoSession) || errors.Is(err, todevice.ErrSelf) || errors.Is(err, ratchet.ErrExhausted) || machine.IsDamage(err)
}

// ask claims keys of peers, and notes that in the same commit: whatever becomes of the
// claim, it counts. Of those that give none just now a key is claimed later.
func (u *Unwedging) ask(tx *txn.Tx, v account.Account, all []judgement) error {
	if len(all) == 0 {
		return nil
	}
	wanted := make([]device.Keys, len(all))
	for i, j := range all {
		wanted[i] = j.device.Keys
	}
	id, asked, err := u.claims.Renew(tx, v, 0, wanted...)
	if err != nil {
		return err
	}
	at, err := u.account.Moment(tx, v, 0)
	if err != nil {
		return err
	}
	for _, j := range all {
		switch {
		case slices.Contains(asked, j.device.Keys):
			j.next = j.next.Try(at, id)
			u.tell(tx, "what a device sends cannot be read: a new session is opened with it", j)
		case j.next.Claim == (outbox.ID{}):
			continue
		}
		if err := records.Wedges.Put(tx, j.next); err != nil {
			return err
		}
	}
	return nil
}

// tell tells the log, once it is so.
func (u *Unwedging) tell(tx *txn.Tx, what string, j judgement) {
	tx.OnCommit(func() {
		u.account.Store.Log.Warn(what, slog.String("user", string(j.device.User)), slog.String("device", string(j.device.Device)),
			slog.String("why", j.next.Why), slog.Int("tries", j.next.Tries))
	})
}
