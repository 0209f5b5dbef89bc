package unwedge_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/keyrequests"
	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/receive"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/machine/unwedge"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

const (
	alice = matrix.UserID("@alice:example.org")
	bob   = matrix.UserID("@bob:example.org")
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a server with devices, and the time.
type world struct {
	testing.TB
	now     time.Time
	homes   map[device.Name]*home
	queues  map[device.Name][]event // to-device events that wait
	claimed map[device.Name]int     // keys that were handed out of a device
	empty   map[device.Name]bool    // it has no one-time keys
	synced  int
}

// event is a to-device event.
type event struct {
	Sender  matrix.UserID   `json:"sender"`
	Type    string          `json:"type"`
	Content json.RawMessage `json:"content"`
}

func newWorld(t testing.TB) *world {
	return &world{
		TB: t, now: time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC), homes: map[device.Name]*home{}, queues: map[device.Name][]event{},
		claimed: map[device.Name]int{}, empty: map[device.Name]bool{},
	}
}

// home is what one process has of a device.
type home struct {
	*world
	name     device.Name
	engine   kv.Store
	clock    *time.Duration // how far it is off
	id       machine.Identity
	account  *machine.Account
	messages *todevice.Messages
	keys     *roomkeys.Keys
	rooms    *rooms.Rooms
	unwedge  *unwedge.Unwedging
	requests *keyrequests.Requests
	receiver *receive.Receiver
	box      *outbox.Outbox
	read     []string // events that were the caller's, and "m.dummy"
}

// home adds a device.
func (w *world) home(user matrix.UserID, id matrix.DeviceID, options ...memkv.Option) *home {
	w.Helper()
	h := w.homeOn(device.Name{User: user, Device: id}, memkv.New(options...), new(time.Duration))
	w.homes[h.name] = h
	return h
}

// beside is another process on the same device, through a store.
func (h *home) beside(engine kv.Store) *home {
	h.Helper()
	return h.homeOn(h.name, engine, h.clock)
}

func (w *world) homeOn(name device.Name, engine kv.Store, clock *time.Duration) *home {
	w.Helper()
	tools := machine.Tools{Now: func() time.Time { return w.now.Add(*clock) }, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(w.Context(), engine, seal.RawKey([32]byte{1}), tools)
	must(w, err)
	if _, err := s.Create(w.Context(), machine.AccountName(name)); err != nil && !errors.Is(err, machine.ErrAccountExists) {
		w.Fatal(err)
	}
	h := &home{world: w, name: name, engine: engine, clock: clock, account: s.Account(machine.AccountName(name))}
	h.messages, h.keys = todevice.New(h.account), roomkeys.NewKeys(h.account)
	asks := claims.New(h.account, h.messages)
	h.requests = keyrequests.New(h.account, h.messages, asks)
	h.unwedge = unwedge.New(h.account, h.messages, asks, h.requests)
	h.keys.Requested, h.keys.Lacks = h.requests.Open, h.unwedge.Lacks
	queries := devices.New(h.account, h.keys.Settle, h.unwedge.Settle)
	h.rooms = rooms.New(h.account, h.messages, queries, asks)
	h.receiver = receive.New(h.account, h.messages, receive.Handed(h.account, h.keys, h.requests, h.unwedge, nil))
	h.box = outbox.NewOutbox(h.account, nil, map[outbox.Kind]outbox.Handler{
		outbox.Query: queries, outbox.Claim: due{asks, h.unwedge, h.requests},
		outbox.ToDevice: rooms.Answers{Plain: outbox.Plain{Account: h.account}},
	})
	h.id, err = h.account.Identity(w.Context())
	must(w, err)
	return h
}

// due is the handler of claims as pawl.Machine has it.
type due struct {
	*claims.Claims
	unwedge  *unwedge.Unwedging
	requests *keyrequests.Requests
}

func (d due) Due(ctx context.Context) error {
	return errors.Join(d.unwedge.Due(ctx), d.requests.Due(ctx))
}

func (h *home) do(fn func(tx *txn.Tx) error) {
	h.Helper()
	must(h, h.account.Do(h.Context(), fn))
}

// wedge is what is known of a device.
func (h *home) wedge(of *home) (w records.Wedge) {
	h.Helper()
	h.do(func(tx *txn.Tx) (err error) {
		w, _, err = records.Wedges.Get(tx, of.id.Curve25519)
		return err
	})
	return w
}

// sessions are those with a device, the one that is sent in first.
func (h *home) sessions(with *home) (all []session.Session) {
	h.Helper()
	h.do(func(tx *txn.Tx) error {
		c, err := h.messages.Contact(tx, with.id.Curve25519)
		all = c.Sessions
		if s, ok := session.Choose(all); ok {
			all = slices.DeleteFunc(slices.Clone(all), func(o session.Session) bool { return o.ID() == s.ID() })
			all = append([]session.Session{s}, all...)
		}
		return err
	})
	return all
}

// check checks that all records agree.
func (h *home) check() {
	h.Helper()
	found, err := upkeep.Check(h.Context(), h.account, records.Kinds())
	must(h, err)
	for _, f := range found {
		h.Errorf("%s: check finds %s: %s", h.name.Device, f.Kind, f.Broken)
	}
}

// share gives the key of a room to the members' devices.
func (h *home) share(room matrix.RoomID, members ...matrix.UserID) group.SessionID {
	h.Helper()
	for range 5 {
		s, err := h.rooms.Share(h.Context(), room, members, rooms.Settings{Strategy: group.AllDevices})
		must(h, err)
		h.send()
		if s.Done {
			return s.Session
		}
	}
	h.Fatalf("the key of %s is not shared", room)
	return group.SessionID{}
}

// say sends a device an event that is the caller's.
func (h *home) say(to *home, kind string) {
	h.Helper()
	h.do(func(tx *txn.Tx) error {
		v, err := h.account.SendingRaised(tx)
		if err != nil {
			return err
		}
		_, _, err = h.requests.Send(tx, v, 0, h.knows(tx, to), kind, struct{}{})
		return err
	})
	h.send()
}

func (h *home) knows(tx *txn.Tx, o *home) device.Device {
	d, known, err := records.Devices.Get(tx, o.name)
	if err != nil || !known {
		h.Fatalf("%s does not know %s: %v", h.name.Device, o.name.Device, err)
	}
	return d
}

// outgoing returns what is to be sent.
func (h *home) outgoing() []outbox.Request {
	h.Helper()
	all, err := h.box.Outgoing(h.Context())
	must(h, err)
	return all
}

// send sends all that is to be sent, and hands in the answers, until there is no more.
// It returns what was sent, each as its kind, and the types of events that are not
// encrypted.
func (h *home) send() (kinds []string) {
	h.Helper()
	for all := h.outgoing(); len(all) > 0; all = h.outgoing() {
		for _, r := range all {
			kinds = append(kinds, h.post(r))
		}
	}
	return kinds
}

// post brings a request to the server, and its answer back.
func (h *home) post(r outbox.Request) string {
	h.Helper()
	kind, answer := h.serve(h.name, r)
	if err := h.box.MarkSent(h.Context(), r.ID, answer); !errors.Is(err, outbox.ErrNoRequest) {
		must(h, err)
	}
	return kind
}

// serve answers a request of a device.
func (w *world) serve(from device.Name, r outbox.Request) (kind string, answer []byte) {
	w.Helper()
	switch r.Kind {
	case outbox.Claim:
		return "claim", w.claim(r)
	case outbox.Query:
		return "query", w.query(r)
	}
	var body struct {
		Messages map[matrix.UserID]map[matrix.DeviceID]json.RawMessage
	}
	must(w, json.Unmarshal(r.Body, &body))
	for user, all := range body.Messages {
		for id, content := range all {
			to := device.Name{User: user, Device: id}
			w.queues[to] = append(w.queues[to], event{from.User, r.EventType, content})
		}
	}
	return r.EventType, []byte(`{}`)
}

func (w *world) claim(r outbox.Request) []byte {
	w.Helper()
	var body struct {
		Keys map[matrix.UserID]map[matrix.DeviceID]string `json:"one_time_keys"`
	}
	must(w, json.Unmarshal(r.Body, &body))
	out := map[matrix.UserID]map[matrix.DeviceID]json.RawMessage{}
	for user, all := range body.Keys {
		for id := range all {
			o := w.homes[device.Name{User: user, Device: id}]
			if o == nil || w.empty[o.name] {
				continue
			}
			w.claimed[o.name]++
			if out[user] == nil {
				out[user] = map[matrix.DeviceID]json.RawMessage{}
			}
			out[user][id] = o.oneTimeKey()
		}
	}
	return encode(w, map[string]any{"one_time_keys": out})
}

// oneTimeKey is a key of the device that nobody has.
func (h *home) oneTimeKey() json.RawMessage {
	h.Helper()
	up, err := keys.Offer(h.Context(), h.account, 1)
	must(h, err)
	var offered struct {
		Keys json.RawMessage `json:"one_time_keys"`
	}
	must(h, json.Unmarshal(up.Body, &offered))
	return offered.Keys
}

func (w *world) query(r outbox.Request) []byte {
	w.Helper()
	var body struct {
		Keys map[matrix.UserID]json.RawMessage `json:"device_keys"`
	}
	must(w, json.Unmarshal(r.Body, &body))
	out := map[matrix.UserID]map[matrix.DeviceID]json.RawMessage{}
	for user := range body.Keys {
		out[user] = map[matrix.DeviceID]json.RawMessage{}
		for name, o := range w.homes {
			if name.User == user {
				out[user][name.Device] = o.deviceKeys()
			}
		}
	}
	return encode(w, map[string]any{"device_keys": out})
}

func (h *home) deviceKeys() json.RawMessage {
	h.Helper()
	v, err := txn.View(h.Context(), h.account.DB, h.account.Read)
	must(h, err)
	raw, err := v.DeviceKeys()
	must(h, err)
	return raw
}

func encode(t testing.TB, v any) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(v)
	must(t, err)
	return raw
}

// sync takes in the events that wait for the device.
func (h *home) sync() receive.Received {
	h.Helper()
	events := h.queues[h.name]
	delete(h.queues, h.name)
	return h.take(events...)
}

// take takes in events.
func (h *home) take(events ...event) receive.Received {
	h.Helper()
	ticket, err := h.receiver.Next(h.Context(), false)
	must(h, err)
	h.synced++
	out, err := h.receiver.Sync(h.Context(), ticket, encode(h, map[string]any{
		"next_batch": fmt.Sprint("s", h.synced), "to_device": map[string]any{"events": append([]event{}, events...)},
	}))
	must(h, err)
	for _, e := range out.Events {
		h.read = append(h.read, e.Type)
	}
	return out
}

// settle lets all devices send and sync until nothing more happens.
func (w *world) settle() {
	w.Helper()
	names := slices.SortedFunc(maps.Keys(w.homes), func(a, b device.Name) int { return slices.Compare([]byte(a.Device), []byte(b.Device)) })
	for range 20 {
		busy := false
		for _, n := range names {
			busy = len(w.homes[n].send()) > 0 || busy
			if len(w.queues[n]) > 0 {
				busy = true
				w.homes[n].sync()
			}
		}
		if !busy {
			return
		}
	}
	w.Fatal("the devices do not come to rest")
}

// meet makes two devices know each other, and talk in both directions.
func (w *world) meet(a, b *home) {
	w.Helper()
	for _, h := range []*home{a, b} {
		h.do(func(tx *txn.Tx) error { return devices.Track(tx, a.name.User, b.name.User) })
	}
	w.settle()
	a.share("!meet:example.org", b.name.User)
	w.settle()
	b.say(a, "hello")
	w.settle()
	a.say(b, "hello")
	w.settle()
}

// lose makes a device forget all sessions with another, as if it had begun anew.
func (h *home) lose(with *home) {
	h.Helper()
	h.do(func(tx *txn.Tx) error {
		c, err := h.messages.Contact(tx, with.id.Curve25519)
		for _, s := range c.Sessions {
			err = errors.Join(err, records.Sessions.Delete(tx, records.SessionName{Peer: s.Peer(), ID: s.ID()}))
		}
		return errors.Join(err, records.Peers.Delete(tx, with.id.Curve25519))
	})
}

// later moves the time.
func (w *world) later(by time.Duration) { w.now = w.now.Add(by) }

// has reports whether a device can read a session from an index.
func (h *home) has(id group.SessionID) (from int64) {
	h.Helper()
	from = -1
	h.do(func(tx *txn.Tx) error {
		in, there, err := records.GroupIns.Get(tx, id)
		if err != nil || !there {
			return err
		}
		if first, err := in.Earliest(); err == nil {
			from = int64(first.Key.Index())
		}
		return nil
	})
	return from
}
