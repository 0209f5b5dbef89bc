package claims_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/claims"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

// world is a store with the account that claims, and a clock.
type world struct {
	*testing.T
	store kv.Store
	now   time.Time
}

func newWorld(t *testing.T, opts ...memkv.Option) *world {
	return &world{t, memkv.New(opts...), time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)}
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// handle is what one process has of the account.
type handle struct {
	*world
	account  *machine.Account
	messages *todevice.Messages
	claims   *claims.Claims
	box      *outbox.Outbox
}

func (w *world) handle() *handle {
	w.Helper()
	return w.handleOn(w.store)
}

func (w *world) handleOn(store kv.Store) *handle {
	w.Helper()
	tools := machine.Tools{Now: func() time.Time { return w.now }, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(w.Context(), store, seal.RawKey([32]byte{1}), tools)
	w.must(err)
	name := machine.AccountName{User: "@alice:example.org", Device: "PHONE"}
	if _, err := s.Create(w.Context(), name); err != nil && !errors.Is(err, machine.ErrAccountExists) {
		w.Fatal(err)
	}
	h := &handle{world: w, account: s.Account(name)}
	h.messages = todevice.New(h.account)
	h.claims = claims.New(h.account, h.messages)
	h.box = outbox.NewOutbox(h.account, nil, map[outbox.Kind]outbox.Handler{outbox.Claim: h.claims})
	return h
}

// peer is a device of somebody else.
type peer struct{ account.Account }

func (w *world) peer(user matrix.UserID, id matrix.DeviceID) peer {
	w.Helper()
	a, err := account.New(rand.Reader, user, id, w.now)
	w.must(err)
	return peer{a}
}

func (w *world) peers(n int) (all []peer) {
	w.Helper()
	for i := range n {
		all = append(all, w.peer("@bob:example.org", matrix.DeviceID(fmt.Sprintf("D%03d", i))))
	}
	return all
}

func (p peer) keys() device.Keys {
	return device.Keys{Name: device.Name{User: p.User(), Device: p.Device()}, Curve25519: p.Identity(), Ed25519: p.Fingerprint(), Olm: true, Megolm: true}
}

func keysOf(peers []peer) (all []device.Keys) {
	for _, p := range peers {
		all = append(all, p.keys())
	}
	return all
}

// oneTimeKey is a key that the device has signed, and its private part.
func (w *world) oneTimeKey(p peer) (raw json.RawMessage, pair ratchet.KeyPair) {
	w.Helper()
	pair, err := ratchet.GenerateKeyPair(rand.Reader)
	w.must(err)
	raw, err = p.SignedKey(pair.Public(), false)
	w.must(err)
	return raw, pair
}

// answer is an answer to /keys/claim.
type answer struct {
	Keys     map[matrix.UserID]map[matrix.DeviceID]map[string]json.RawMessage `json:"one_time_keys"`
	Failures map[string]any                                                   `json:"failures"`
}

func newAnswer() *answer {
	return &answer{map[matrix.UserID]map[matrix.DeviceID]map[string]json.RawMessage{}, map[string]any{}}
}

func (a *answer) give(p peer, id string, key json.RawMessage) *answer {
	if a.Keys[p.User()] == nil {
		a.Keys[p.User()] = map[matrix.DeviceID]map[string]json.RawMessage{}
	}
	a.Keys[p.User()][p.Device()] = map[string]json.RawMessage{id: key}
	return a
}

const keyID = device.ClaimAlgorithm + ":AAAAAA"

// all gives a good key of each.
func (w *world) all(peers ...peer) *answer {
	w.Helper()
	a := newAnswer()
	for _, p := range peers {
		key, _ := w.oneTimeKey(p)
		a.give(p, keyID, key)
	}
	return a
}

func (w *world) text(a *answer) []byte {
	w.Helper()
	raw, err := json.Marshal(a)
	w.must(err)
	return raw
}

// request asks for devices.
func (h *handle) request(peers ...peer) []claims.Standing {
	h.Helper()
	got, err := h.claims.Request(h.Context(), keysOf(peers)...)
	h.must(err)
	if len(got) != len(peers) {
		h.Fatalf("%d standings of %d devices", len(got), len(peers))
	}
	return got
}

// outgoing returns what is to be sent.
func (h *handle) outgoing() []outbox.Request {
	h.Helper()
	got, err := h.box.Outgoing(h.Context())
	h.must(err)
	return got
}

// only returns the one request that is to be sent.
func (h *handle) only() outbox.Request {
	h.Helper()
	got := h.outgoing()
	if len(got) != 1 || got[0].Kind != outbox.Claim {
		h.Fatalf("%d requests are to be sent", len(got))
	}
	return got[0]
}

// look wants all to be in a state.
func (h *handle) look(want claims.State, peers ...peer) (last claims.Standing) {
	h.Helper()
	got, err := txn.View(h.Context(), h.account.DB, func(tx *txn.Tx) ([]claims.Standing, error) {
		return h.claims.Look(tx, keysOf(peers)...)
	})
	h.must(err)
	for _, s := range got {
		if s.State != want {
			h.Errorf("%s: %+v, want state %d", s.Device.Device, s, want)
		}
		last = s
	}
	return last
}

// encrypt encrypts an event for a device.
func (h *handle) encrypt(p peer) error {
	return h.account.Do(h.Context(), func(tx *txn.Tx) error {
		v, err := h.account.Sending(tx)
		if err != nil {
			return err
		}
		own, err := v.DeviceKeys()
		if err != nil {
			return err
		}
		_, _, err = h.messages.EncryptIn(tx, v, p.keys(), own, "m.dummy", json.RawMessage(`{}`))
		return err
	})
}
