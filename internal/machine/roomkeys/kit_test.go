package roomkeys_test

import (
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

const (
	alice = matrix.UserID("@alice:example.org")
	bob   = matrix.UserID("@bob:example.org")
	room  = matrix.RoomID("!room:example.org")
	other = matrix.RoomID("!other:example.org")
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// home is an account, seen from within.
type home struct {
	testing.TB
	engine  kv.Store
	account *machine.Account
	keys    *roomkeys.Keys
	now     time.Time
}

func newHome(t testing.TB, engine kv.Store) *home {
	t.Helper()
	h := &home{TB: t, engine: engine, now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)}
	h.account = h.open(engine)
	_, err := h.account.Store.Create(t.Context(), h.account.Name)
	must(t, err)
	h.keys = roomkeys.NewKeys(h.account)
	return h
}

// beside is another process on the same account.
func (h *home) beside(opts ...txn.Option) *home {
	h.Helper()
	b := &home{TB: h.TB, engine: h.engine, now: h.now}
	b.account = b.open(h.engine, opts...)
	b.keys = roomkeys.NewKeys(b.account)
	return b
}

func (h *home) open(engine kv.Store, opts ...txn.Option) *machine.Account {
	h.Helper()
	tools := machine.Tools{Now: func() time.Time { return h.now }, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler), Txn: opts}
	s, err := machine.Open(h.Context(), engine, seal.RawKey([32]byte{1}), tools)
	must(h, err)
	return s.Account(machine.AccountName{User: alice, Device: "DEVICE"})
}

func (h *home) do(fn func(tx *txn.Tx) error) {
	h.Helper()
	must(h, h.account.Do(h.Context(), fn))
}

// receive applies an event in a commit of its own.
func (h *home) receive(from roomkeys.From, eventType string, content any) (roomkeys.Outcome, error) {
	h.Helper()
	text, as := content.(json.RawMessage)
	if !as {
		text = raw(h, content)
	}
	return txn.Do(h.Context(), h.account.DB, func(tx *txn.Tx) (roomkeys.Outcome, error) {
		v, err := h.account.Active(tx)
		if err != nil {
			return roomkeys.Outcome{}, err
		}
		return h.keys.Receive(tx, v, 0, from, eventType, roomkeys.Read(eventType, text))
	})
}

// stored returns what is stored of a session.
func (h *home) stored(id group.SessionID) (in group.Inbound, ok bool) {
	h.Helper()
	h.do(func(tx *txn.Tx) (err error) { in, ok, err = records.GroupIns.Get(tx, id); return err })
	return in, ok
}

// first is the first index that can be read of a session, -1 if there is none.
func (h *home) first(id group.SessionID) int64 {
	h.Helper()
	in, _ := h.stored(id)
	c, err := in.Earliest()
	if err != nil {
		return -1
	}
	return int64(c.Key.Index())
}

// size is the number of records of all kinds that the package writes.
func (h *home) size() int {
	h.Helper()
	n := 0
	h.do(func(tx *txn.Tx) error {
		n = 0
		scope, _ := h.account.DB.Scope()
		for _, err := range tx.Entries(scope + "/") {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n
}

// sender is a device that sends in a room.
type sender struct {
	testing.TB
	user    matrix.UserID
	curve   ratchet.PublicKey
	ed      account.VerifyKey
	session group.Sender
}

func newSender(t testing.TB, user matrix.UserID) *sender {
	t.Helper()
	s := &sender{TB: t, user: user}
	_, err := rand.Read(s.curve[:])
	must(t, err)
	signing, err := account.GenerateSigningKey(rand.Reader)
	must(t, err)
	s.ed = signing.Public()
	s.rotate()
	return s
}

func (s *sender) rotate() {
	next, err := group.NewSender(rand.Reader)
	must(s, err)
	s.session = next
}

func (s *sender) id() group.SessionID { return s.session.Key().ID() }

// from is the sender as a device that is known, or not yet.
func (s *sender) from(known bool) roomkeys.From {
	f := roomkeys.From{User: s.user, Curve25519: s.curve, Ed25519: s.ed}
	if known {
		f.Device = device.Name{User: s.user, Device: "SENDER"}
	}
	return f
}

// roomKey is the content of m.room_key.
func (s *sender) roomKey(room matrix.RoomID) map[string]any {
	share, err := s.session.Share()
	must(s, err)
	return map[string]any{
		"algorithm": account.Megolm, "room_id": room, "session_id": s.id().String(), "session_key": unpadded.Encode(share),
	}
}

// exported is the key in the export format, from an index on.
func exported(t testing.TB, k group.Key, index uint32) group.Key {
	t.Helper()
	k, err := k.Advance(index)
	must(t, err)
	b, err := k.Export(nil)
	must(t, err)
	k, err = group.ParseExportedKey(b)
	must(t, err)
	return k
}

// forged is a key of the same session that is not connected to it.
func forged(t testing.TB, k group.Key) group.Key {
	t.Helper()
	b, err := k.Export(nil)
	must(t, err)
	b[40] ^= 1
	k, err = group.ParseExportedKey(b)
	must(t, err)
	return k
}

// forwarded is the content of m.forwarded_room_key.
func (s *sender) forwarded(room matrix.RoomID, k group.Key) map[string]any {
	b, err := k.Export(nil)
	must(s, err)
	return map[string]any{
		"algorithm": account.Megolm, "room_id": room, "session_id": k.ID().String(), "session_key": unpadded.Encode(b),
		"sender_key": s.curve.String(), "sender_claimed_ed25519_key": s.ed.String(), "forwarding_curve25519_key_chain": []string{},
	}
}

// skip moves the sender's session on.
func (s *sender) skip(n int) {
	for range n {
		next, _, err := s.session.Encrypt([]byte("{}"))
		must(s, err)
		s.session = next
	}
}

// second is the error of a call whose result does not matter.
func second[A any](_ A, err error) error { return err }

func raw(t testing.TB, v any) []byte {
	b, err := json.Marshal(v)
	must(t, err)
	return b
}
