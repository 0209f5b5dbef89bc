package keyrequests

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// Types of the events of this package.
const (
	Request = "m.room_key_request"

	encryptedType = "m.room.encrypted"
)

// ErrNobody: see package pawl.
var ErrNobody = errors.New("pawl: the account has no verified device of its own to ask")

// Requests are the requests for room keys of an account, its own and others'. Its
// methods may be called from any number of goroutines.
type Requests struct {
	account  *machine.Account
	messages *todevice.Messages
	claims   *claims.Claims
}

// New returns the requests of an account.
func New(a *machine.Account, m *todevice.Messages, c *claims.Claims) *Requests {
	return &Requests{a, m, c}
}

// request is the content of m.room_key_request.
type request struct {
	Action    string          `json:"action"`
	Requester matrix.DeviceID `json:"requesting_device_id"`
	ID        string          `json:"request_id"`
	Body      *wanted         `json:"body,omitempty"`
}

type wanted struct {
	Algorithm string        `json:"algorithm"`
	Room      matrix.RoomID `json:"room_id"`
	Session   string        `json:"session_id"`
}

// The actions of a request.
const (
	actionRequest = "request"
	actionCancel  = "request_cancellation"
)

// Ask asks all own verified devices for the key of a session, at most
// records.MaxKeyRequestDevices of them, and returns the request that is to be sent.
// Asked again before there is an answer, the request has the same request_id; one
// that is still to be sent is not made again. It fails with ErrNobody and
// matrix.ErrRoomID, and as [machine.Account.SendingRaised] does.
func (r *Requests) Ask(ctx context.Context, room matrix.RoomID, session group.SessionID) (outbox.ID, error) {
	if err := room.Check(); err != nil {
		return outbox.ID{}, err
	}
	candidates, err := txn.View(ctx, r.account.DB, func(tx *txn.Tx) ([]matrix.DeviceID, error) {
		v, err := r.account.Read(tx)
		if err != nil {
			return nil, err
		}
		return r.verified(tx, v)
	})
	if err != nil {
		return outbox.ID{}, err
	}
	return txn.Do(ctx, r.account.DB, func(tx *txn.Tx) (outbox.ID, error) {
		v, err := r.account.SendingRaised(tx)
		if err != nil {
			return outbox.ID{}, err
		}
		asked, err := r.still(tx, v, candidates)
		if err != nil {
			return outbox.ID{}, err
		}
		return r.ask(tx, v, records.KeyRequest{Room: room, Session: session, Asked: asked})
	})
}

// verified returns own verified devices that may be sent to, but this one.
func (r *Requests) verified(tx *txn.Tx, v account.Account) (ids []matrix.DeviceID, err error) {
	all, damaged, err := records.DevicesOf(tx, v.User())
	if err != nil {
		return nil, err
	}
	r.account.Store.Tell(tx, damaged.All())
	own, err := records.IdentityOf(tx, v.User())
	if machine.IsDamage(err) {
		r.account.Store.Tell(tx, []error{err})
		return nil, nil // nobody is verified by what cannot be read
	}
	for _, d := range all {
		if err == nil && isVerified(d, own, v) && len(ids) < records.MaxKeyRequestDevices {
			ids = append(ids, d.Device)
		}
	}
	return ids, err
}

func isVerified(d device.Device, own device.Known, v account.Account) bool {
	return d.User == v.User() && d.Device != v.Device() && d.Usable() && own.Of(d, own) == device.Verified
}

// still returns those that are verified still.
func (r *Requests) still(tx *txn.Tx, v account.Account, ids []matrix.DeviceID) (asked []matrix.DeviceID, err error) {
	names := make([]device.Name, len(ids))
	for i, id := range ids {
		names[i] = device.Name{User: v.User(), Device: id}
	}
	found, err := records.Devices.GetAll(tx, names...)
	if err != nil {
		return nil, err
	}
	own, err := records.IdentityOf(tx, v.User())
	if err != nil && !machine.IsDamage(err) {
		return nil, err
	}
	for _, f := range found {
		if err == nil && f.OK && isVerified(f.Value, own, v) {
			asked = append(asked, f.Value.Device)
		}
	}
	if len(asked) == 0 {
		return nil, ErrNobody
	}
	return asked, nil
}

// ask makes the request, unless there is one that is still to be sent.
func (r *Requests) ask(tx *txn.Tx, v account.Account, next records.KeyRequest) (outbox.ID, error) {
	open, there, err := records.ReadKeyRequest(tx, r.account, next.Session)
	if err != nil {
		return outbox.ID{}, err
	}
	there = there && open.Room == next.Room
	var before []outbox.ID
	if there {
		pending, err := isPending(tx, open.Sent)
		if err != nil || pending && isSubset(next.Asked, open.Asked) {
			return open.Sent, err
		}
		if before, err = supersede(tx, open.Sent); err != nil { // it goes to more devices
			return outbox.ID{}, err
		}
		next.ID, next.Asked = open.ID, union(open.Asked, next.Asked)
	} else if _, err := io.ReadFull(r.account.Store.Rand, next.ID[:]); err != nil {
		return outbox.ID{}, fmt.Errorf("pawl: random bytes for the id of a key request: %w", err)
	}
	next.At = r.account.Store.Now()
	body := request{Action: actionRequest, Requester: v.Device(), ID: next.ID.String(), Body: &wanted{account.Megolm, next.Room, next.Session.String()}}
	if next.Sent, err = r.toAll(tx, v, 0, next.Asked, body, before); err != nil {
		return outbox.ID{}, err
	}
	return next.Sent, records.KeyRequests.Put(tx, next)
}

func isSubset(some, of []matrix.DeviceID) bool {
	return !slices.ContainsFunc(some, func(d matrix.DeviceID) bool { return !slices.Contains(of, d) })
}

// union returns all of both, the new ones last. Where they are too many the oldest
// are not asked again.
func union(old, now []matrix.DeviceID) []matrix.DeviceID {
	all := slices.DeleteFunc(slices.Clone(old), func(d matrix.DeviceID) bool { return slices.Contains(now, d) })
	all = append(all, now...)
	return all[max(0, len(all)-records.MaxKeyRequestDevices):]
}

// isPending reports whether a request is there: it is sent, or sent again.
func isPending(tx *txn.Tx, id outbox.ID) (bool, error) {
	_, there, err := outbox.Find(tx, id)
	if machine.IsDamage(err) {
		return false, nil
	}
	return there, err
}

// supersede takes a request back that was never handed out. It returns what the next one
// is to come after: what may be sent again must not arrive after its cancellation.
func supersede(tx *txn.Tx, id outbox.ID) (before []outbox.ID, err error) {
	state, there, err := outbox.Find(tx, id)
	switch {
	case machine.IsDamage(err) || err == nil && !there:
		return nil, nil
	case err != nil:
		return nil, err
	case state.Handed > 0:
		return []outbox.ID{id}, nil
	}
	return state.After, outbox.Finish(tx, id)
}

// toAll adds a request that sends own devices an event in plain, after others.
func (r *Requests) toAll(tx *txn.Tx, v account.Account, place int, to []matrix.DeviceID, content request, before []outbox.ID) (outbox.ID, error) {
	messages := map[matrix.DeviceID]request{}
	for _, id := range to {
		messages[id] = content
	}
	return r.send(tx, v, place, Request, map[matrix.UserID]any{v.User(): messages}, before...)
}

// send adds a request that sends events to devices, after others.
func (r *Requests) send(tx *txn.Tx, v account.Account, place int, eventType string, messages map[matrix.UserID]any, after ...outbox.ID) (outbox.ID, error) {
	body, err := json.Marshal(map[string]any{"messages": messages})
	if err != nil {
		return outbox.ID{}, err
	}
	return outbox.Add(tx, r.account, v, outbox.New{Kind: outbox.ToDevice, EventType: eventType, Body: body, After: after, Place: place})
}

// Open reports whether a request of ours for a key is open at the device that
// forwards it, which is an own verified one: it is what roomkeys.Keys asks.
func (r *Requests) Open(tx *txn.Tx, from roomkeys.From, room matrix.RoomID, session group.SessionID) (bool, error) {
	open, there, err := records.ReadKeyRequest(tx, r.account, session)
	return there && open.Room == room && slices.Contains(open.Asked, from.Device.Device), err
}

// Stored closes the request for a session of which a key came: the one that was
// asked for, or from the session's owner one that reads all of it. It cancels it at
// all devices that were asked, if any has heard of it. Place is that of the event
// among what the transaction does.
func (r *Requests) Stored(tx *txn.Tx, v account.Account, place int, session group.SessionID, from group.Provenance) error {
	open, there, err := records.ReadKeyRequest(tx, r.account, session)
	if err != nil || !there {
		return err
	}
	if from != group.Forwarded {
		whole, err := readsAll(tx, session)
		if err != nil || !whole {
			return err
		}
	}
	if err := records.KeyRequests.Delete(tx, session); err != nil {
		return err
	}
	before, err := supersede(tx, open.Sent)
	if err != nil {
		return err
	}
	cancel := request{Action: actionCancel, Requester: v.Device(), ID: open.ID.String()}
	_, err = r.toAll(tx, v, place, open.Asked, cancel, before)
	return err
}

// readsAll reports whether there is a key that reads a session from its beginning.
func readsAll(tx *txn.Tx, session group.SessionID) (bool, error) {
	in, there, err := records.GroupIns.Get(tx, session)
	if machine.IsDamage(err) || machine.IsSetAside(err) {
		return false, nil
	}
	if err != nil || !there {
		return false, err
	}
	first, err := in.Earliest()
	return err == nil && first.Key.Index() == 0, nil
}
