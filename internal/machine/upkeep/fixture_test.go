package upkeep_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

var key = [32]byte{1}

// fixture is an account with one session that its peer opened, one that it opened
// itself, unused keys and a receipt: something to damage.
type fixture struct {
	*testing.T
	*pawl.Machine
	kv      kv.Store
	account *machine.Account // the same, seen from within
	peer    *pawl.Machine
	self    account.Account
	them    ratchet.PublicKey
	next    ratchet.Message // of the peer, in the session it opened
	fresh   ratchet.Message // of the peer, with a one-time key that is not used yet
}

// format1 is a store that an older program has open.
type format1 struct{ kv.Store }

// Raise implements kv.Raiser.
func (format1) Raise(context.Context) (kv.Format, error) { return kv.Format1, nil }

func newFixture(t *testing.T) *fixture { return newFixtureOn(t, memkv.New()) }

func newFixtureOn(t *testing.T, store kv.Store) *fixture {
	w := &fixture{T: t, kv: store}
	w.Machine = makeMachine(t, w.kv, "@alice:example.org")
	w.account = within(t, w.kv)
	w.peer = makeMachine(t, memkv.New(), "@bob:example.org")
	id, err := w.peer.Identity(t.Context())
	must(t, err)
	w.them = id.Curve25519
	w.do(func(tx *txn.Tx) error { w.self, err = w.account.Read(tx); return err })

	w.receive(w.send(w.peer, w.self.Identity(), pawl.WithOneTimeKey(oneTimeKey(t, w.Machine))))
	w.send(w.Machine, w.them, pawl.WithOneTimeKey(oneTimeKey(t, w.peer)))
	w.next = w.send(w.peer, w.self.Identity())
	w.fresh = w.send(w.peer, w.self.Identity(), pawl.WithOneTimeKey(oneTimeKey(t, w.Machine)))
	return w
}

func makeMachine(t *testing.T, store kv.Store, user matrix.UserID) *pawl.Machine {
	t.Helper()
	s, err := pawl.Open(t.Context(), store, pawl.WithKey(key))
	must(t, err)
	m, err := s.Create(t.Context(), user, "DEVICE")
	must(t, err)
	return m
}

// within opens the account of a fixture's store below the public methods.
func within(t *testing.T, store kv.Store) *machine.Account {
	t.Helper()
	tools := machine.Tools{Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(t.Context(), store, seal.RawKey(key), tools)
	must(t, err)
	return s.Account(machine.AccountName{User: "@alice:example.org", Device: "DEVICE"})
}

func oneTimeKey(t *testing.T, m *pawl.Machine) ratchet.PublicKey {
	t.Helper()
	u, err := m.KeysForUpload(t.Context(), 1)
	must(t, err)
	var body struct {
		OneTime map[string]struct{ Key string } `json:"one_time_keys"`
	}
	must(t, json.Unmarshal(u.Body, &body))
	for _, k := range body.OneTime {
		key, err := ratchet.ParsePublicKey(k.Key)
		must(t, err)
		return key
	}
	t.Fatal("no key")
	return ratchet.PublicKey{}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (w *fixture) send(m *pawl.Machine, to ratchet.PublicKey, opts ...pawl.EncryptOption) ratchet.Message {
	w.Helper()
	e, err := m.Encrypt(w.Context(), to, []byte("text"), opts...)
	must(w.T, err)
	return e.Message
}

func (w *fixture) receive(m ratchet.Message) {
	w.Helper()
	_, err := w.Decrypt(w.Context(), w.them, m)
	must(w.T, err)
}

// do writes behind the Machine's back.
func (w *fixture) do(fn func(tx *txn.Tx) error) {
	w.Helper()
	_, err := txn.Do(w.Context(), w.account.DB, func(tx *txn.Tx) (struct{}, error) { return struct{}{}, fn(tx) })
	must(w.T, err)
}

// one returns the record of a kind that want chooses.
func one[N, T any](w *fixture, r *txn.Record[N, T], want func(T) bool) T {
	w.Helper()
	found, err := txn.View(w.Context(), w.account.DB, func(tx *txn.Tx) ([]T, error) {
		var found []T
		for v, err := range r.Scan(tx) {
			if err != nil {
				return nil, err
			}
			if want(v) {
				found = append(found, v)
			}
		}
		return found, nil
	})
	must(w.T, err)
	if len(found) == 0 {
		w.Fatalf("no %s record to damage", r.Kind)
	}
	return found[0]
}

func (w *fixture) peerRecord() session.Peer {
	return one(w, &records.Peers, func(session.Peer) bool { return true })
}

func (w *fixture) session(o session.Origin) session.Session {
	return one(w, &records.Sessions, func(s session.Session) bool { return s.Origin() == o })
}

func (w *fixture) key(used bool) otk.Key {
	return one(w, &records.Keys, func(k otk.Key) bool { _, _, u := k.Used(); return u == used && !k.Fallback() })
}

func (w *fixture) receipt() session.Receipt {
	return one(w, &records.Receipts, func(session.Receipt) bool { return true })
}

// raw returns the stored key of the first entry of a kind.
func (w *fixture) raw(kind string) string {
	w.Helper()
	snap := w.kv.Snapshot()
	defer snap.Close()
	for e, err := range snap.Scan(w.Context(), "") {
		must(w.T, err)
		if strings.Contains(e.Key, "/"+kind) {
			return e.Key
		}
	}
	w.Fatalf("no entry of kind %s", kind)
	return ""
}

func (w *fixture) overwrite(key string, value []byte) {
	w.Helper()
	_, err := w.kv.Commit(w.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: value}}})
	must(w.T, err)
}

// wrongPair is a key pair whose public part is of another private part.
func wrongPair(public ratchet.PublicKey) ratchet.KeyPair {
	return ratchet.RestoreKeyPair(public, [32]byte{8, 8, 8})
}
