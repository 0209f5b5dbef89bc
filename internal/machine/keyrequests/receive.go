package keyrequests

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Share is what a request of somebody takes of a commit beside what brought it.
var Share = machine.Share{Bytes: 4 << 10, Writes: 3, Checks: 8}

// Receive takes a request for a room key, or its cancellation: content of an
// m.room_key_request from a user, as the server says, which came plain. A device that
// may have the key is sent it later, by Due. Others get a notice, of which at most
// 128 wait to be sent at a time: a request that finds no place is not answered. It
// fails with roomkeys.ErrContent, which has changed nothing. Place is that of the event among
// what the transaction does.
func (r *Requests) Receive(tx *txn.Tx, v account.Account, place int, from matrix.UserID, content json.RawMessage) error {
	var q request
	if err := json.Unmarshal(content, &q); err != nil {
		return fmt.Errorf("%w: %w", roomkeys.ErrContent, err)
	}
	to := device.Name{User: from, Device: q.Requester}
	if err := errors.Join(to.User.Check(), to.Device.Check()); err != nil || q.ID == "" || len(q.ID) > records.MaxKeyRequestID {
		return fmt.Errorf("%w: no device, or no id: %v", roomkeys.ErrContent, err)
	}
	if to == (device.Name{User: v.User(), Device: v.Device()}) {
		return nil // our own
	}
	switch q.Action {
	case actionCancel:
		return r.cancelled(tx, to, q.ID)
	case actionRequest:
		room, session, err := q.Body.parse()
		if err != nil {
			return err
		}
		return r.decide(tx, v, place, records.KeyAnswer{To: to, Request: q.ID, Room: room, Session: session, At: r.account.Store.Now()})
	}
	return fmt.Errorf("%w: action %.64q", roomkeys.ErrContent, q.Action)
}

// parse returns what a request asks for.
func (w *wanted) parse() (room matrix.RoomID, session group.SessionID, err error) {
	if w == nil {
		return room, session, fmt.Errorf("%w: no body", roomkeys.ErrContent)
	}
	if w.Algorithm != account.Megolm {
		return room, session, fmt.Errorf("%w: algorithm %.64q", roomkeys.ErrContent, w.Algorithm)
	}
	if room, err = matrix.ParseRoomID(string(w.Room)); err == nil {
		session, err = group.ParseSessionID(w.Session)
	}
	if err != nil {
		err = fmt.Errorf("%w: %w", roomkeys.ErrContent, err)
	}
	return room, session, err
}

// cancelled drops an answer that is not needed any more.
func (r *Requests) cancelled(tx *txn.Tx, to device.Name, id string) error {
	name := records.SlotOf(to, id)
	a, there, err := records.KeyAnswers.Get(tx, name)
	if machine.IsDamage(err) || machine.IsSetAside(err) || err == nil && (!there || a.Request != id) {
		return nil
	}
	if err != nil {
		return err
	}
	return records.KeyAnswers.Delete(tx, name)
}

// decide lets an answer wait to be sent to a device that may have the key, or sends a
// notice.
func (r *Requests) decide(tx *txn.Tx, v account.Account, place int, a records.KeyAnswer) error {
	d, known, err := r.device(tx, a.To)
	if err != nil {
		return err
	}
	may := nothing
	if known {
		if may, _, err = r.mayHave(tx, v, d, a); err != nil {
			return err
		}
	}
	if may != nothing {
		return records.KeyAnswers.Put(tx, a)
	}
	code := group.Unauthorised
	if a.To.User == v.User() {
		code = group.Unverified
	}
	return r.notify(tx, v, place, a, code)
}

// device returns a device that may be sent to.
func (r *Requests) device(tx *txn.Tx, name device.Name) (d device.Device, known bool, err error) {
	d, known, err = records.Devices.Get(tx, name)
	if machine.IsDamage(err) {
		r.account.Store.Tell(tx, []error{err})
	}
	if machine.IsDamage(err) || machine.IsSetAside(err) {
		return d, false, nil
	}
	return d, known && d.Usable(), err
}

// allowed is what a device may have of a session.
type allowed uint8

const (
	nothing allowed = iota
	all             // it is an own verified one
	again           // what it was given before
)

// mayHave decides what a device may have of a session, and returns what it was given
// before.
func (r *Requests) mayHave(tx *txn.Tx, v account.Account, d device.Device, a records.KeyAnswer) (allowed, group.Share, error) {
	if d.User == v.User() {
		own, err := records.IdentityOf(tx, v.User())
		switch {
		case machine.IsDamage(err):
			r.account.Store.Tell(tx, []error{err})
		case err != nil:
			return nothing, group.Share{}, err
		case isVerified(d, own, v):
			return all, group.Share{}, nil
		}
	}
	name := records.ShareName{RoomSession: records.RoomSession{Room: a.Room, ID: a.Session}, User: d.User, Device: d.Device}
	share, told, err := records.GivenTo(tx, name, d.Curve25519)
	switch {
	case machine.IsDamage(err):
		r.account.Store.Tell(tx, []error{err})
		return nothing, group.Share{}, nil
	case err != nil:
		return nothing, group.Share{}, err
	case told && share.Outcome == group.Given:
		return again, share, nil
	}
	return nothing, group.Share{}, nil
}

// notify sends a notice why a device gets no key, unless one to the same device about
// the same session, or another in its place, waits to be sent, or the same was sent
// lately.
func (r *Requests) notify(tx *txn.Tx, v account.Account, place int, a records.KeyAnswer, code group.Code) error {
	slot, tag := records.NoticeSlot(a.To, a.Session)
	old, there, err := records.KeyNotices.Get(tx, slot)
	switch {
	case machine.IsDamage(err), machine.IsSetAside(err):
	case err != nil:
		return err
	case there:
		_, waits, err := outbox.Find(tx, old.Sent)
		if err != nil && !machine.IsDamage(err) {
			return err
		}
		now := r.account.Store.Now()
		if waits || old.Tag == tag && now.Sub(old.At).Abs() < noticePause {
			return nil
		}
	}
	notice := map[string]string{
		"algorithm": account.Megolm, "code": string(code), "room_id": string(a.Room), "session_id": a.Session.String(),
		"sender_key": v.Identity().String(),
	}
	sent, err := r.send(tx, v, place, Withheld, map[matrix.UserID]any{a.To.User: map[matrix.DeviceID]any{a.To.Device: notice}})
	if err != nil {
		return err
	}
	return records.KeyNotices.Put(tx, records.KeyNotice{Slot: slot, Tag: tag, Sent: sent, At: r.account.Store.Now()})
}
