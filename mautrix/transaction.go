package pawlmautrix

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/session"
)

// ReceiveTransaction takes in what a homeserver sends to an application service (MSC2409
// and MSC3202): what of it is for the client's device, and what becomes of members and
// settings of rooms. What is not Pawl's of the to-device events goes to Machine() before
// it returns; nothing of it is for the client's listeners.
//
// The homeserver is told that it arrived when this has returned nil, and otherwise that it
// is to come again. A transaction that comes again changes nothing. A body that is no
// transaction is passed over: whoever parses it says so.
func (h *CryptoHelper) ReceiveTransaction(ctx context.Context, name string, body []byte) error {
	return h.call(ctx, func(ctx context.Context, m *pawl.Machine) error {
		h.receiving.Lock() // whoever sends one again does not wait for the first to end
		defer h.receiving.Unlock()
		return h.receiveTransaction(ctx, m, name, body)
	})
}

func (h *CryptoHelper) receiveTransaction(ctx context.Context, m *pawl.Machine, name string, body []byte) (err error) {
	if body, err = h.earlier.left(ctx, h.keys, body); err != nil {
		return err
	}
	received, err := m.ReceiveTransaction(ctx, name, body)
	if errors.Is(err, pawl.ErrResponse) {
		return nil
	}
	if err != nil {
		return err
	}
	r := h.receiver
	came := addressed(body, h.client.UserID, h.client.DeviceID)
	r.refused(received)
	r.keysCame(ctx, received.RoomKeys)
	r.gone()
	var done []session.ReceiptID
	for _, e := range received.Events {
		r.toMachine(ctx, e, came)
		if e.Encrypted {
			done = append(done, e.Receipt)
		}
	}
	if err := m.Acknowledge(ctx, done...); err != nil {
		return err
	}
	r.answerRequests(came)
	r.kick()
	return nil
}

// addressed are the to-device events of a transaction that are for a device, in the order
// in which Pawl counts them. One that mautrix-go cannot parse is empty.
func addressed(body []byte, user id.UserID, device id.DeviceID) (all []*event.Event) {
	in := json.NewDecoder(bytes.NewReader(body))
	if t, err := in.Token(); err != nil || t != json.Delim('{') {
		return nil
	}
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return all
		}
		name, _ := key.(string)
		var value json.RawMessage
		if in.Decode(&value) != nil {
			return all
		}
		var list []json.RawMessage
		if !isToDevice(name) || json.Unmarshal(value, &list) != nil {
			continue
		}
		for _, raw := range list {
			var to struct {
				User   id.UserID   `json:"to_user_id"`
				Device id.DeviceID `json:"to_device_id"`
			}
			if json.Unmarshal(raw, &to) != nil || to.User != user || to.Device != device {
				continue
			}
			evt := &event.Event{}
			if evt.UnmarshalJSON(raw) != nil {
				evt = &event.Event{}
			}
			all = append(all, evt)
		}
	}
	return all
}

// isToDevice reports whether a member of a transaction is a list of to-device events.
func isToDevice(name string) bool {
	return name == "to_device" || strings.HasSuffix(name, ".to_device")
}
