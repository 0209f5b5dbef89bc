package keyrequests_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/keyrequests"
	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

const (
	alice = matrix.UserID("@alice:example.org")
	bob   = matrix.UserID("@bob:example.org")
	room  = matrix.RoomID("!room:example.org")
)

// self is the self-signing key of every user.
var self = account.VerifyKey{9}

// home is a device of somebody.
type home struct {
	testing.TB
	engine   kv.Store
	account  *machine.Account
	messages *todevice.Messages
	keys     *roomkeys.Keys
	claims   *claims.Claims
	requests *keyrequests.Requests
	box      *outbox.Outbox
	now      *time.Time
}

func (h *home) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func newHome(t testing.TB, user matrix.UserID, id matrix.DeviceID) *home {
	t.Helper()
	now := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	return homeOn(t, memkv.New(), machine.AccountName{User: user, Device: id}, &now)
}

func homeOn(t testing.TB, engine kv.Store, name machine.AccountName, now *time.Time) *home {
	t.Helper()
	h := &home{TB: t, engine: engine, now: now}
	tools := machine.Tools{Now: func() time.Time { return *now }, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(t.Context(), engine, seal.RawKey([32]byte{1}), tools)
	h.must(err)
	if _, err := s.Create(t.Context(), name); err != nil && !errors.Is(err, machine.ErrAccountExists) {
		t.Fatal(err)
	}
	h.account = s.Account(name)
	h.messages, h.keys = todevice.New(h.account), roomkeys.NewKeys(h.account)
	h.claims = claims.New(h.account, h.messages)
	h.requests = keyrequests.New(h.account, h.messages, h.claims)
	h.keys.Requested = h.requests.Open
	h.box = outbox.NewOutbox(h.account, nil, map[outbox.Kind]outbox.Handler{
		outbox.Claim: due{h.claims, h.requests}, outbox.ToDevice: outbox.Plain{Account: h.account},
	})
	return h
}

// due is the claims' handler that makes answers too.
type due struct {
	*claims.Claims
	requests *keyrequests.Requests
}

func (d due) Due(ctx context.Context) error { return d.requests.Due(ctx) }

// beside is another process on the same device.
func (h *home) beside() *home {
	h.Helper()
	return homeOn(h.TB, h.engine, h.account.Name, h.now)
}

func (h *home) do(fn func(tx *txn.Tx) error) {
	h.Helper()
	h.must(h.account.Do(h.Context(), fn))
}

func (h *home) name() device.Name {
	return device.Name{User: h.account.Name.User, Device: h.account.Name.Device}
}

// knows makes the device of another home known here, cross-signed, and its user
// verified or not.
func (h *home) knows(o *home, verified bool) {
	h.Helper()
	id, err := o.account.Identity(h.Context())
	h.must(err)
	d := device.Device{Claim: device.Claim{Keys: device.Keys{
		Name: o.name(), Curve25519: id.Curve25519, Ed25519: id.Ed25519, Olm: true, Megolm: true,
	}, SignedBy: self}, Seen: record.Time(*h.now)}
	k := device.Known{Identity: device.Identity{User: o.name().User, Master: account.VerifyKey{8}, SelfSigning: self}, Pinned: account.VerifyKey{8}}
	if verified {
		k = k.Verify()
	} else {
		d.SignedBy = account.VerifyKey{}
	}
	h.do(func(tx *txn.Tx) error {
		if err := records.Owners.Put(tx, device.Owner{Key: id.Curve25519, Claimers: []device.Name{d.Name}}); err != nil {
			return err
		}
		if err := errors.Join(devices.Track(tx, d.User), records.Devices.Put(tx, d)); err != nil {
			return err
		}
		old, err := records.IdentityOf(tx, k.User)
		if err != nil || old.Verified != (account.VerifyKey{}) {
			return err
		}
		return records.Identities.Put(tx, k)
	})
}

// outgoing returns what is to be sent.
func (h *home) outgoing() []outbox.Request {
	h.Helper()
	all, err := h.box.Outgoing(h.Context())
	h.must(err)
	return all
}

// messagesIn returns the contents of a sendToDevice.
func (h *home) messagesIn(r outbox.Request) (all map[matrix.UserID]map[matrix.DeviceID]json.RawMessage) {
	h.Helper()
	var body struct {
		Messages map[matrix.UserID]map[matrix.DeviceID]json.RawMessage
	}
	h.must(json.Unmarshal(r.Body, &body))
	return body.Messages
}

// sent is an event as another device gets it.
type sent struct {
	to      device.Name
	kind    string
	content json.RawMessage
}

// sync sends all that is to be sent, and hands in the answers, until there is no
// more: what is for the other homes arrives there. It returns all events.
func (h *home) sync(others ...*home) (events []sent) {
	h.Helper()
	for all := h.outgoing(); len(all) > 0; all = h.outgoing() {
		for _, r := range all {
			if r.Kind == outbox.Claim {
				h.must(h.box.MarkSent(h.Context(), r.ID, h.claimed(r, others)))
				continue
			}
			for user, messages := range h.messagesIn(r) {
				for id, content := range messages {
					e := sent{device.Name{User: user, Device: id}, r.EventType, content}
					events = append(events, e)
					for _, o := range others {
						if o.name() != e.to {
							continue
						}
						if err := o.receive(h.name().User, e.kind, e.content); !errors.Is(err, roomkeys.ErrNotRequested) {
							o.must(err)
						}
					}
				}
			}
			h.must(h.box.MarkSent(h.Context(), r.ID, []byte(`{}`)))
		}
	}
	return events
}

// claimed answers a claim with keys of the other homes.
func (h *home) claimed(r outbox.Request, others []*home) []byte {
	h.Helper()
	var body struct {
		Keys map[matrix.UserID]map[matrix.DeviceID]string `json:"one_time_keys"`
	}
	h.must(json.Unmarshal(r.Body, &body))
	out := map[matrix.UserID]map[matrix.DeviceID]map[string]json.RawMessage{}
	for _, o := range others {
		if body.Keys[o.name().User][o.name().Device] == "" {
			continue
		}
		up, err := keys.Offer(h.Context(), o.account, 1)
		h.must(err)
		var offered struct {
			Keys map[string]json.RawMessage `json:"one_time_keys"`
		}
		h.must(json.Unmarshal(up.Body, &offered))
		if out[o.name().User] == nil {
			out[o.name().User] = map[matrix.DeviceID]map[string]json.RawMessage{}
		}
		out[o.name().User][o.name().Device] = offered.Keys
	}
	raw, err := json.Marshal(map[string]any{"one_time_keys": out})
	h.must(err)
	return raw
}

// receive takes an event as a sync brings it.
func (h *home) receive(from matrix.UserID, kind string, content json.RawMessage) error {
	h.Helper()
	if kind != "m.room.encrypted" {
		return h.apply(roomkeys.From{User: from}, kind, content)
	}
	var e struct {
		Sender     string `json:"sender_key"`
		Ciphertext map[string]struct {
			Type ratchet.MessageType
			Body string
		}
	}
	h.must(json.Unmarshal(content, &e))
	sender, err := ratchet.ParsePublicKey(e.Sender)
	h.must(err)
	own, err := h.account.Identity(h.Context())
	h.must(err)
	c := e.Ciphertext[own.Curve25519.String()]
	body, _ := unpadded.Decode(c.Body)
	d, err := h.messages.Decrypt(h.Context(), todevice.Incoming{Sender: sender, Message: ratchet.Message{Type: c.Type, Body: body}})
	h.must(err)
	var p struct {
		Type    string
		Content json.RawMessage
	}
	h.must(json.Unmarshal(d.Plaintext, &p))
	f := roomkeys.From{User: from, Curve25519: sender}
	h.do(func(tx *txn.Tx) error {
		o, known, err := records.OwnerOf(tx, sender)
		if err != nil || !known {
			return err
		}
		of, _, err := records.Devices.Get(tx, o.Claimers[0])
		if err != nil {
			return err
		}
		f.Device, f.Ed25519 = of.Name, of.Ed25519
		f.Trust, _, err = records.TrustOf(tx, h.account, of)
		return err
	})
	return h.apply(f, p.Type, p.Content)
}

// apply applies an event that was decrypted, or came plain.
func (h *home) apply(from roomkeys.From, kind string, content json.RawMessage) error {
	h.Helper()
	return h.account.Do(h.Context(), func(tx *txn.Tx) error {
		v, err := h.account.Active(tx)
		if err != nil {
			return err
		}
		if kind == keyrequests.Request {
			return h.requests.Receive(tx, v, 0, from.User, content)
		}
		out, err := h.keys.Receive(tx, v, 0, from, kind, roomkeys.Read(kind, content))
		if err != nil || out.Provenance == 0 {
			return err
		}
		return h.requests.Stored(tx, v, 0, out.Session, out.Provenance)
	})
}

// has stores a key, as its session's owner sent it.
func (h *home) has(k group.Key) {
	h.Helper()
	in, err := group.NewInbound(room, group.NewCopy(k, group.Source{Provenance: group.Direct, Sender: ratchet.PublicKey{7}, Claimed: account.VerifyKey{7}}))
	h.must(err)
	h.do(func(tx *txn.Tx) error { return records.GroupIns.Join(tx, in) })
}

// first returns the earliest copy of a session.
func (h *home) first(id group.SessionID) (c group.Copy, ok bool) {
	h.Helper()
	h.do(func(tx *txn.Tx) error {
		in, there, err := records.GroupIns.Get(tx, id)
		if err != nil || !there {
			return err
		}
		c, err = in.Earliest()
		ok = err == nil
		return err
	})
	return c, ok
}

func newSender(t testing.TB) group.Sender {
	t.Helper()
	s, err := group.NewSender(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// asks is a request for a key.
func asks(from matrix.DeviceID, id string, session group.SessionID) json.RawMessage {
	raw, _ := json.Marshal(map[string]any{
		"action": "request", "requesting_device_id": from, "request_id": id,
		"body": map[string]any{"algorithm": account.Megolm, "room_id": room, "session_id": session.String(), "sender_key": "ignored"},
	})
	return raw
}

// codeOf returns the code of a notice.
func codeOf(e sent) group.Code {
	var n struct{ Code group.Code }
	if json.Unmarshal(e.content, &n) != nil || e.kind != "m.room_key.withheld" {
		return ""
	}
	return n.Code
}
