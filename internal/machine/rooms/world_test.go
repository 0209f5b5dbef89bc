package rooms_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// world is alice's phone on one store, the devices of others, and their server.
type world struct {
	*testing.T
	store kv.Store
	now   time.Time
	own   account.Account
	peers map[device.Name]*peer
	// down are users whose server does not answer, and refused those that no event
	// is delivered to.
	down, refused map[matrix.UserID]bool
	sent          map[outbox.ID]string // bodies of requests that were answered
	elsewhere     matrix.RoomID        // another room
}

func newWorld(t *testing.T, limits ...memkv.Option) *world {
	t.Helper()
	return newWorldOn(t, memkv.New(limits...))
}

func newWorldOn(t *testing.T, store kv.Store) *world {
	t.Helper()
	w := &world{
		T: t, store: store, now: time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC), peers: map[device.Name]*peer{},
		down: map[matrix.UserID]bool{}, refused: map[matrix.UserID]bool{}, sent: map[outbox.ID]string{},
	}
	h := w.handle()
	do(t, h.account, func(tx *txn.Tx) (err error) {
		w.own, err = h.account.Read(tx)
		return err
	})
	return w
}

func atFloor() memkv.Option { return memkv.WithLimits(kv.Floor()) }

// handle is what one process has of the account.
type handle struct {
	*world
	account *machine.Account
	rooms   *rooms.Rooms
	box     *outbox.Outbox
}

func (w *world) handle() *handle { return w.handleOn(w.store) }

func (w *world) handleOn(store kv.Store) *handle {
	w.Helper()
	a := w.open(store, alice, "PHONE")
	messages := todevice.New(a)
	queries, claimed := devices.New(a), claims.New(a, messages)
	return &handle{w, a, rooms.New(a, messages, queries, claimed), outbox.NewOutbox(a, nil, map[outbox.Kind]outbox.Handler{
		outbox.Query: queries, outbox.Claim: claimed, outbox.ToDevice: rooms.Answers{Plain: outbox.Plain{Account: a}},
	})}
}

func (w *world) open(store kv.Store, user matrix.UserID, id matrix.DeviceID) *machine.Account {
	w.Helper()
	tools := machine.Tools{Now: func() time.Time { return w.now }, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(w.Context(), store, seal.RawKey([32]byte{1}), tools)
	must(w.T, err)
	name := machine.AccountName{User: user, Device: id}
	if _, err := s.Create(w.Context(), name); err != nil && !errors.Is(err, machine.ErrAccountExists) {
		w.Fatal(err)
	}
	return s.Account(name)
}

// hooked returns a handle before whose commits something happens: before is given
// how many there were.
func (w *world) hooked(before func(n int) error) *handle {
	n := 0
	inside := false
	return w.handleOn(faulty.Wrap(w.store, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if call.Op != faulty.Commit || len(call.Batch.Writes) == 0 || inside {
			return nil
		}
		n++
		inside = true
		defer func() { inside = false }()
		return before(n)
	}}))
}

// peer is a device of somebody else, or another one of alice's.
type peer struct {
	name     device.Name
	account  *machine.Account
	messages *todevice.Messages
	self     account.Account
	gone     bool
	oneTime  map[string]json.RawMessage
	keys     map[group.SessionID]group.Key // as they came first
	times    map[group.SessionID]int       // that one came
	notices  []group.Code
}

// add adds a device, with one-time keys on the server.
func (w *world) add(user matrix.UserID, id matrix.DeviceID) *peer {
	w.Helper()
	a := w.open(memkv.New(), user, id)
	p := &peer{
		name: device.Name{User: user, Device: id}, account: a, messages: todevice.New(a), oneTime: map[string]json.RawMessage{},
		keys: map[group.SessionID]group.Key{}, times: map[group.SessionID]int{},
	}
	do(w.T, a, func(tx *txn.Tx) (err error) {
		p.self, err = a.Read(tx)
		return err
	})
	u, err := keys.Offer(w.Context(), a, 3)
	must(w.T, err)
	var body struct {
		Keys map[string]json.RawMessage `json:"one_time_keys"`
	}
	must(w.T, json.Unmarshal(u.Body, &body))
	p.oneTime = body.Keys
	w.peers[p.name] = p
	return p
}

// everybody returns the devices in the order of their names.
func (w *world) everybody() []*peer {
	return slices.SortedFunc(maps.Values(w.peers), func(a, b *peer) int {
		return strings.Compare(fmt.Sprint(a.name), fmt.Sprint(b.name))
	})
}

// settings are those of most tests.
var settings = rooms.Settings{Strategy: group.AllDevices}

func (h *handle) share(members ...matrix.UserID) rooms.Sharing {
	h.Helper()
	s, err := h.rooms.Share(h.Context(), room, members, settings)
	must(h.T, err)
	return s
}

// shareAll shares, and sends what is to be sent, until it is done.
func (h *handle) shareAll(members ...matrix.UserID) rooms.Sharing {
	h.Helper()
	for range 10 {
		if s := h.share(members...); s.Done {
			return s
		}
		h.sendAll()
	}
	h.Fatal("sharing comes to no end")
	return rooms.Sharing{}
}

// sendAll sends what is to be sent, in any order that it is handed out in.
func (h *handle) sendAll() (n int) {
	h.Helper()
	for range 20 {
		all, err := h.box.Outgoing(h.Context())
		must(h.T, err)
		for _, r := range all {
			h.answer(r)
			n++
		}
		if len(all) == 0 {
			return n
		}
	}
	h.Fatal("sending comes to no end")
	return n
}

// answer sends one request.
func (h *handle) answer(r outbox.Request) {
	h.Helper()
	must(h.T, h.tryAnswer(r))
}

func (h *handle) tryAnswer(r outbox.Request) error {
	h.Helper()
	if was, ok := h.sent[r.ID]; ok && was != string(r.Body) {
		h.Errorf("request %s is sent with another body", r.ID)
	}
	h.sent[r.ID] = string(r.Body)
	var response []byte
	switch r.Kind {
	case outbox.Query:
		response = h.query(r.Body)
	case outbox.Claim:
		response = h.claim(r.Body)
	case outbox.ToDevice:
		response = h.deliver(r)
	}
	if response == nil {
		return h.box.MarkFailed(h.Context(), r.ID, outbox.Failure{Reason: outbox.Refused, Status: 400})
	}
	return h.box.MarkSent(h.Context(), r.ID, response)
}

func (w *world) query(body []byte) []byte {
	var asked struct {
		Users map[matrix.UserID][]string `json:"device_keys"`
	}
	must(w.T, json.Unmarshal(body, &asked))
	all := map[matrix.UserID]map[matrix.DeviceID]json.RawMessage{}
	for user := range asked.Users {
		if !w.down[user] {
			all[user] = map[matrix.DeviceID]json.RawMessage{}
		}
	}
	for _, p := range w.peers {
		if devices := all[p.name.User]; devices != nil && !p.gone {
			raw, err := p.self.DeviceKeys()
			must(w.T, err)
			devices[p.name.Device] = raw
		}
	}
	if devices := all[alice]; devices != nil {
		raw, err := w.own.DeviceKeys()
		must(w.T, err)
		devices["PHONE"] = raw
	}
	return w.json(map[string]any{"device_keys": all, "failures": map[string]any{}})
}

func (w *world) claim(body []byte) []byte {
	var asked struct {
		Keys map[matrix.UserID]map[matrix.DeviceID]string `json:"one_time_keys"`
	}
	must(w.T, json.Unmarshal(body, &asked))
	all := map[matrix.UserID]map[matrix.DeviceID]map[string]json.RawMessage{}
	for user, devices := range asked.Keys {
		for id := range devices {
			p := w.peers[device.Name{User: user, Device: id}]
			if p == nil || w.down[user] {
				continue
			}
			for name, key := range p.oneTime {
				if all[user] == nil {
					all[user] = map[matrix.DeviceID]map[string]json.RawMessage{}
				}
				all[user][id] = map[string]json.RawMessage{name: key}
				delete(p.oneTime, name)
				break
			}
		}
	}
	return w.json(map[string]any{"one_time_keys": all, "failures": map[string]any{}})
}

func (w *world) json(v any) []byte {
	raw, err := json.Marshal(v)
	must(w.T, err)
	return raw
}

// deliver delivers events to devices. It returns nil if the server does not take the
// request.
func (w *world) deliver(r outbox.Request) []byte {
	var body struct {
		Messages map[matrix.UserID]map[matrix.DeviceID]json.RawMessage
	}
	must(w.T, json.Unmarshal(r.Body, &body))
	for user := range body.Messages {
		if w.refused[user] {
			return nil
		}
	}
	n := 0
	for user, devices := range body.Messages {
		for id, content := range devices {
			n++
			if p := w.peers[device.Name{User: user, Device: id}]; p != nil {
				p.receive(w, r.EventType, content)
			}
		}
	}
	if n > rooms.MostMessages {
		w.Errorf("a request of %d messages", n)
	}
	return []byte("{}")
}

// receive takes an event for the device.
func (p *peer) receive(w *world, kind string, content []byte) {
	w.Helper()
	if kind == "m.room_key.withheld" {
		var n struct {
			Code    group.Code
			Room    string `json:"room_id"`
			Session string `json:"session_id"`
		}
		must(w.T, json.Unmarshal(content, &n))
		if (n.Code == group.NoOlm) != (n.Room == "" && n.Session == "") {
			w.Errorf("a notice is %s", content)
		}
		p.notices = append(p.notices, n.Code)
		return
	}
	var e struct {
		SenderKey  string `json:"sender_key"`
		Ciphertext map[string]struct {
			Type ratchet.MessageType
			Body string
		}
	}
	must(w.T, json.Unmarshal(content, &e))
	c := e.Ciphertext[p.self.Identity().String()]
	raw := w.decode(c.Body)
	d, err := p.messages.Decrypt(w.Context(), todevice.Incoming{Sender: w.own.Identity(), Message: ratchet.Message{Type: c.Type, Body: raw}})
	must(w.T, err)
	var payload struct {
		Type    string
		Content struct {
			Room    matrix.RoomID `json:"room_id"`
			Session string        `json:"session_id"`
			Key     string        `json:"session_key"`
		}
	}
	must(w.T, json.Unmarshal(d.Plaintext, &payload))
	raw = w.decode(payload.Content.Key)
	key, err := group.ParseSharedKey(raw)
	must(w.T, err)
	if payload.Type != "m.room_key" || payload.Content.Room != room && payload.Content.Room != w.elsewhere || payload.Content.Session != key.ID().String() {
		w.Errorf("a room key is %s", d.Plaintext)
	}
	if d.Duplicate {
		return
	}
	p.times[key.ID()]++
	if _, has := p.keys[key.ID()]; !has {
		p.keys[key.ID()] = key
	}
}

func (w *world) decode(text string) []byte {
	w.Helper()
	raw, ok := unpadded.Decode(text)
	if !ok {
		w.Fatalf("%q is not base64", text)
	}
	return raw
}

// sentEvent is an event of the room.
type sentEvent struct {
	session group.SessionID
	message group.Message
}

func (h *handle) encrypt(text string) (sentEvent, error) {
	h.Helper()
	raw, err := h.rooms.Encrypt(h.Context(), room, "m.room.message", h.json(map[string]string{"body": text}), rooms.Form{})
	if err != nil {
		return sentEvent{}, err
	}
	return h.parse(raw), nil
}

func (h *handle) parse(raw []byte) sentEvent {
	h.Helper()
	e, err := parseEvent(raw)
	must(h.T, err)
	return e
}

func parseEvent(raw []byte) (sentEvent, error) {
	var e struct {
		Ciphertext string
		Session    string `json:"session_id"`
	}
	if err := json.Unmarshal(raw, &e); err != nil {
		return sentEvent{}, err
	}
	id, err := group.ParseSessionID(e.Session)
	if err != nil {
		return sentEvent{}, err
	}
	text, ok := unpadded.Decode(e.Ciphertext)
	if !ok {
		return sentEvent{}, errors.New("no base64")
	}
	m, err := group.ParseMessage(text)
	return sentEvent{id, m}, err
}

// openRooms opens the rooms of the account in another process.
func openRooms(ctx context.Context, store kv.Store) (*rooms.Rooms, error) {
	tools := machine.Tools{Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(ctx, store, seal.RawKey([32]byte{1}), tools)
	if err != nil {
		return nil, err
	}
	a := s.Account(machine.AccountName{User: alice, Device: "PHONE"})
	m := todevice.New(a)
	return rooms.New(a, m, devices.New(a), claims.New(a, m)), nil
}

func (h *handle) mustEncrypt(text string) sentEvent {
	h.Helper()
	e, err := h.encrypt(text)
	must(h.T, err)
	return e
}

// reads reports whether a device can read an event.
func (p *peer) reads(e sentEvent) bool {
	key, has := p.keys[e.session]
	if !has {
		return false
	}
	_, err := key.Decrypt(e.message)
	return err == nil
}

// readers returns who can read an event.
func (w *world) readers(e sentEvent) (names []string) {
	for _, p := range w.everybody() {
		if p.reads(e) {
			names = append(names, string(p.name.Device))
		}
	}
	return names
}

func (w *world) wantReaders(e sentEvent, want ...string) {
	w.Helper()
	if got := w.readers(e); !slices.Equal(got, want) {
		w.Errorf("the event is read by %q, want %q", got, want)
	}
}

// changes tells alice that a user's devices changed.
func (h *handle) changes(user matrix.UserID) {
	h.Helper()
	do(h.T, h.account, func(tx *txn.Tx) error { return devices.MarkOutdated(tx, user) })
}

// refill puts new one-time keys of a device on the server.
func (w *world) refill(p *peer) {
	w.Helper()
	u, err := keys.Offer(w.Context(), p.account, 3)
	must(w.T, err)
	var body struct {
		Keys map[string]json.RawMessage `json:"one_time_keys"`
	}
	must(w.T, json.Unmarshal(u.Body, &body))
	p.oneTime = body.Keys
}

// watched returns a handle whose commits are looked at.
func (w *world) watched(look func(b *kv.Batch)) *handle {
	return w.handleOn(faulty.Wrap(w.store, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if call.Op == faulty.Commit {
			look(call.Batch)
		}
		return nil
	}}))
}

// know puts devices of a user as an answer would, with a session with each.
func (w *world) know(h *handle, user matrix.UserID, all []device.Device) {
	w.Helper()
	messages := todevice.New(h.account)
	for some := range slices.Chunk(all, 25) {
		do(w.T, h.account, func(tx *txn.Tx) error {
			v, err := h.account.Read(tx)
			if err != nil {
				return err
			}
			for i, d := range some {
				if err := records.Devices.Put(tx, d); err != nil {
					return err
				}
				if _, err := messages.OpenOutbound(tx, v, d.Curve25519, somePublic(w.T), i); err != nil {
					return err
				}
			}
			return nil
		})
	}
	do(w.T, h.account, func(tx *txn.Tx) error { return devices.Track(tx, user, alice) })
	do(w.T, h.account, func(tx *txn.Tx) error {
		for _, u := range []matrix.UserID{user, alice} {
			t, _, err := records.Users.Get(tx, u)
			if err != nil {
				return err
			}
			if err := records.PutUser(tx, t.Ask(device.Query{1}, 0).Answered(nil)); err != nil {
				return err
			}
		}
		return nil
	})
}

func somePublic(t *testing.T) ratchet.PublicKey {
	t.Helper()
	pair, err := ratchet.GenerateKeyPair(rand.Reader)
	must(t, err)
	return pair.Public()
}
