package rooms

import (
	"context"
	"slices"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// carried is what a request with a room key carries, and to whom: the data that its
// answer is applied with.
type carried struct {
	Room    matrix.RoomID
	Session group.SessionID
	To      []device.Name
}

const (
	carriedVersion = 'r' // no other handler's data begins so
	carriedFields  = 3
)

func (c carried) encode() []byte {
	return record.Encode(carriedVersion, carriedFields, 64+64*len(c.To), func(w *record.Writer) {
		w.Text(string(c.Room))
		w.Bytes(c.Session[:])
		w.Count(2 * len(c.To))
		for _, to := range c.To {
			w.Text(string(to.User))
			w.Text(string(to.Device))
		}
	})
}

func decodeCarried(b []byte) (c carried, err error) {
	err = record.Decode("room key request", b, carriedVersion, carriedFields, func(r *record.Reader) {
		c.Room = matrix.RoomID(r.Text(matrix.MaxLength))
		r.Fixed(c.Session[:])
		fields := r.Count(2 * MostMessages)
		r.Check(fields%2 == 0, "number of devices")
		for i := 0; i < fields && r.OK(); i += 2 {
			c.To = append(c.To, device.Name{User: matrix.UserID(r.Text(matrix.MaxLength)), Device: matrix.DeviceID(r.Text(matrix.MaxLength))})
		}
	})
	return c, err
}

// Answers handles the answers to requests that carry events to devices: those with
// room keys, for which their rooms wait, and all others.
type Answers struct{ outbox.Plain }

// ours returns what a request carries, if it carries a room key.
func ours(r outbox.Request) (carried, bool) {
	if len(r.Data) == 0 || r.Data[0] != carriedVersion {
		return carried{}, false
	}
	c, err := decodeCarried(r.Data)
	return c, err == nil
}

// Sent implements outbox.Handler.
func (h Answers) Sent(ctx context.Context, r outbox.Request, response []byte) error {
	c, ok := ours(r)
	if !ok {
		return h.Plain.Sent(ctx, r, response)
	}
	if err := outbox.Object(response, nil); err != nil {
		return err
	}
	return h.Account.Do(ctx, func(tx *txn.Tx) error { return h.end(tx, r.ID, c) })
}

// end ends a request: its room does not wait for it any more.
func (h Answers) end(tx *txn.Tx, id outbox.ID, c carried) error {
	if _, err := h.Account.Active(tx); err != nil {
		return err
	}
	if err := outbox.Await(tx, id); err != nil {
		return err
	}
	if err := h.release(tx, id, c.Room); err != nil {
		return err
	}
	return outbox.Finish(tx, id)
}

func (h Answers) release(tx *txn.Tx, id outbox.ID, room matrix.RoomID) error {
	r, known, err := records.Rooms.Get(tx, room)
	if machine.IsDamage(err) {
		h.Account.Store.Tell(tx, []error{err})
		return nil
	}
	if machine.IsSetAside(err) {
		return nil
	}
	at := slices.Index(r.Waiting, id)
	if err != nil || !known || at < 0 {
		return err
	}
	r.Waiting = slices.Delete(slices.Clone(r.Waiting), at, at+1)
	return records.Rooms.Put(tx, r)
}

// Failed implements outbox.Handler. A request with a room key that the server does
// not take holds nobody up: its devices are tried again later. Nor does one for which
// it is to come much later, or again and again: it is sent then, as it is.
func (h Answers) Failed(ctx context.Context, r outbox.Request, f outbox.Failure) error {
	c, ok := ours(r)
	if !ok {
		return h.Plain.Failed(ctx, r, f)
	}
	rejected, err := txn.Do(ctx, h.Account.DB, func(tx *txn.Tx) (bool, error) {
		if _, err := h.Account.Active(tx); err != nil {
			return false, err
		}
		if f.Long(r, h.Account.Store.Now()) {
			if err := h.release(tx, r.ID, c.Room); err != nil {
				return false, err
			}
		}
		return outbox.Settle(tx, h.Account, r, f)
	})
	if err != nil || !rejected {
		return err
	}
	h.Account.Store.Log.WarnContext(ctx, "a request with a room key was refused: its devices are tried again later",
		"status", f.Status, "devices", len(c.To))
	return h.refused(ctx, r, c)
}

// refusedShare is what noting it of one device takes of a commit.
var refusedShare = machine.Share{Bytes: 1 << 10, Writes: 1, Checks: 1}

// refused notes of each device that its key may not have arrived, in as many commits
// as the engine needs. The last one ends the request.
func (h Answers) refused(ctx context.Context, r outbox.Request, c carried) error {
	if len(c.To) == 0 {
		return h.Account.Do(ctx, func(tx *txn.Tx) error { return h.end(tx, r.ID, c) })
	}
	most := max(h.Account.Store.PerCommit(refusedShare)-8, 1) // the request and the room
	for todo := c.To; len(todo) > 0; {
		some := todo[:min(len(todo), most)]
		todo = todo[len(some):]
		err := h.Account.Do(ctx, func(tx *txn.Tx) error {
			if err := outbox.Await(tx, r.ID); err != nil {
				return err
			}
			for _, to := range some {
				if err := h.notTaken(tx, c, to); err != nil {
					return err
				}
			}
			if len(todo) > 0 {
				return nil
			}
			if err := h.tryLater(tx, c.Room); err != nil {
				return err
			}
			return h.end(tx, r.ID, c)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (h Answers) notTaken(tx *txn.Tx, c carried, to device.Name) error {
	name := records.ShareName{RoomSession: records.RoomSession{Room: c.Room, ID: c.Session}, User: to.User, Device: to.Device}
	share, ok, err := records.Shares.Get(tx, name)
	if machine.IsDamage(err) {
		h.Account.Store.Tell(tx, []error{err})
		return nil
	}
	if machine.IsSetAside(err) {
		return nil
	}
	if err != nil || !ok || share.Outcome != group.Given {
		return err
	}
	share.Outcome, share.Index, share.Over = group.NotTaken, 0, [32]byte{}
	share.At.Time = h.Account.Store.Now()
	return records.Shares.Put(tx, share)
}

// tryLater lets the room's key be shared again later.
func (h Answers) tryLater(tx *txn.Tx, room matrix.RoomID) error {
	r, known, err := records.Rooms.Get(tx, room)
	if machine.IsDamage(err) || machine.IsSetAside(err) || err == nil && !known {
		return nil
	}
	at := h.Account.Store.Now().Add(maxRetry)
	if err != nil || !r.Retry.IsZero() && r.Retry.Before(at) {
		return err
	}
	r.Retry = at
	return records.Rooms.Put(tx, r)
}
