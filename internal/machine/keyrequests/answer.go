package keyrequests

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

const (
	// Withheld is the type of a notice.
	Withheld = roomkeys.Withheld
	// noticePause is how long the same device is not told the same of the same
	// session again.
	noticePause = time.Hour
	// mostAnswers bounds the answers that one call makes: the next makes more.
	mostAnswers = 100
)

// Due sends the keys that devices asked for and may have, and claims keys of devices
// that there is no session with: their answers go out when these have come.
func (r *Requests) Due(ctx context.Context) error {
	waiting, err := txn.View(ctx, r.account.DB, r.waiting)
	if err != nil || len(waiting) == 0 {
		return err
	}
	keys := make([]device.Keys, len(waiting))
	for i, w := range waiting {
		keys[i] = w.to.Keys
	}
	found, err := r.claims.Request(ctx, keys...)
	if err != nil {
		return err
	}
	for i, w := range waiting {
		if found[i].State != claims.Ready {
			continue
		}
		err := r.answer(ctx, w.KeyAnswer)
		if err != nil && !errors.Is(err, todevice.ErrNoSession) && !machine.IsDamage(err) {
			return err // others wait until there is a session, or the damage is repaired
		}
	}
	return nil
}

// waiting is an answer with the device that it is for.
type waiting struct {
	records.KeyAnswer
	to device.Device
}

// waiting returns the oldest answers that wait for devices that may be sent to.
func (r *Requests) waiting(tx *txn.Tx) (all []waiting, err error) {
	var damaged machine.Damages
	var answers []records.KeyAnswer
	for a, err := range records.KeyAnswers.Scan(tx) {
		if err != nil && !damaged.Note(err) {
			return nil, err
		}
		if err == nil {
			answers = append(answers, a)
		}
	}
	r.account.Store.Tell(tx, damaged.All())
	slices.SortFunc(answers, func(a, b records.KeyAnswer) int { return a.At.Compare(b.At) })
	for _, a := range answers {
		d, known, err := r.device(tx, a.To)
		if err != nil {
			return nil, err
		}
		if known && len(all) < mostAnswers && !a.Over(r.account.Store.Now()) {
			all = append(all, waiting{a, d})
		}
	}
	return all, nil
}

// answer sends what a device may have now, and lets it wait no longer.
func (r *Requests) answer(ctx context.Context, a records.KeyAnswer) error {
	return r.account.Do(ctx, func(tx *txn.Tx) error {
		v, err := r.account.SendingRaised(tx)
		if err != nil {
			return err
		}
		name := records.KeyAnswers.Name(a)
		now, there, err := records.KeyAnswers.Get(tx, name)
		if err != nil || !there || now != a {
			return err // cancelled, answered or asked for otherwise meanwhile
		}
		if err := records.KeyAnswers.Delete(tx, name); err != nil {
			return err
		}
		d, known, err := r.device(tx, a.To)
		if err != nil || !known {
			return err
		}
		may, share, err := r.mayHave(tx, v, d, a)
		if err != nil {
			return err
		}
		switch may {
		case all:
			return r.forward(tx, v, d, a)
		case again:
			return r.giveAgain(tx, v, d, a, share)
		}
		return nil // it was told when it asked, or its trust is gone since
	})
}

// forward sends an own verified device all that there is of a session.
func (r *Requests) forward(tx *txn.Tx, v account.Account, d device.Device, a records.KeyAnswer) error {
	in, there, err := records.GroupIns.Get(tx, a.Session)
	if machine.IsDamage(err) {
		r.account.Store.Tell(tx, []error{err})
	}
	if machine.IsDamage(err) || machine.IsSetAside(err) {
		there, err = false, nil
	}
	if err != nil {
		return err
	}
	first, none := in.Earliest()
	if !there || none != nil || in.Room() != a.Room {
		return r.notify(tx, v, 0, a, group.Unavailable)
	}
	of := in.Copies()[0].Source // the best copy says whose the session is
	if of.Claimed == (account.VerifyKey{}) {
		return r.notify(tx, v, 0, a, group.Unavailable) // such a message has no form
	}
	raw, err := first.Key.Export(nil)
	if err != nil {
		return err
	}
	defer clear(raw)
	return r.encrypt(tx, v, d, roomkeys.ForwardedRoomKey, map[string]any{
		"algorithm": account.Megolm, "room_id": in.Room(), "session_id": in.ID().String(), "session_key": unpadded.Encode(raw),
		"sender_key": of.Sender.String(), "sender_claimed_ed25519_key": of.Claimed.String(),
		"forwarding_curve25519_key_chain": []string{}, "shared_history": of.SharedHistory,
	})
}

// giveAgain sends a device that was given a session what it was given then.
func (r *Requests) giveAgain(tx *txn.Tx, v account.Account, d device.Device, a records.KeyAnswer, share group.Share) error {
	err := r.GiveAgain(tx, v, 0, d, share)
	if machine.IsDamage(err) || errors.Is(err, ErrGone) {
		return r.notify(tx, v, 0, a, group.Unavailable)
	}
	return err
}

// GiveAgain sends a device the key of a session of ours that it was given, at the index
// that it was given, in the session with it that is used now. It fails with ErrGone, or
// as [todevice.Messages.EncryptIn] does. Place is that of the request in its commit.
func (r *Requests) GiveAgain(tx *txn.Tx, v account.Account, place int, d device.Device, share group.Share) error {
	out, raw, err := sharedAt(tx, records.RoomSession{Room: share.Room, ID: share.Session}, share.Index)
	if err != nil {
		return err
	}
	defer clear(raw)
	_, over, err := r.Send(tx, v, place, d, roomkeys.RoomKey, map[string]any{
		"algorithm": account.Megolm, "room_id": share.Room, "session_id": share.Session.String(), "session_key": unpadded.Encode(raw),
		"shared_history": out.SharedHistory(),
	})
	if err != nil {
		return err
	}
	share.Over = over
	return records.Shares.Put(tx, share)
}

// GivingShare is what giving a key again takes of a commit: the share, and the session
// in up to three records, beside encrypting and the request.
var GivingShare = machine.Share{Bytes: 4<<10 + todevice.Each.Bytes, Writes: 3 + todevice.Each.Writes, Checks: 5 + todevice.Each.Checks}

// ErrGone: the session, or the key at the index, is not there any more.
var ErrGone = errors.New("pawl: the session's key is gone")

// gone is the error of a record that is not there.
func gone(err error) error {
	if err == nil || machine.IsSetAside(err) {
		return ErrGone
	}
	return err
}

// sharedAt returns a session of ours and its key at an index, signed.
func sharedAt(tx *txn.Tx, name records.RoomSession, index uint32) (group.Outbound, []byte, error) {
	out, there, err := records.ReadOutbound(tx, name)
	if err != nil || !there {
		return out, nil, gone(err)
	}
	if out.Sender().Index() == index {
		raw, err := out.Sender().Share()
		return out, raw, err
	}
	in, there, err := records.GroupIns.Get(tx, name.ID)
	if err != nil || !there {
		return out, nil, gone(err)
	}
	first, err := in.Earliest()
	if err != nil {
		return out, nil, ErrGone
	}
	key, err := first.Key.Advance(index)
	if err != nil {
		return out, nil, ErrGone
	}
	raw, err := out.Sender().ShareAt(key)
	return out, raw, err
}

func (r *Requests) encrypt(tx *txn.Tx, v account.Account, d device.Device, eventType string, content any) error {
	_, _, err := r.Send(tx, v, 0, d, eventType, content)
	return err
}

// Send adds a request that sends a device an encrypted event, and returns it with the
// session that the event goes over. Place is that of the request in its commit.
func (r *Requests) Send(tx *txn.Tx, v account.Account, place int, d device.Device, eventType string, content any) (id outbox.ID, over ratchet.SessionID, err error) {
	raw, err := json.Marshal(content)
	if err != nil {
		return id, over, err
	}
	defer clear(raw)
	own, err := records.OwnDeviceKeys(tx, v)
	if err != nil {
		return id, over, err
	}
	event, over, err := r.messages.EncryptIn(tx, v, d.Keys, own, eventType, raw)
	if err != nil {
		return id, over, err
	}
	id, err = r.send(tx, v, place, encryptedType, map[matrix.UserID]any{d.User: map[matrix.DeviceID]any{d.Device: event}})
	return id, over, err
}
