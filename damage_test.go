package pawl

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// ward is an account with one session that its peer opened, one that it opened
// itself, unused keys and a receipt: something to damage.
type ward struct {
	*testing.T
	*Machine
	kv    kv.Store
	peer  *Machine
	self  account.Account
	them  ratchet.PublicKey
	next  ratchet.Message // of the peer, in the session it opened
	fresh ratchet.Message // of the peer, with a one-time key that is not used yet
}

func newWard(t *testing.T) *ward {
	w := &ward{T: t, kv: memkv.New()}
	w.Machine = makeMachine(t, w.kv, "@alice:example.org")
	w.peer = makeMachine(t, memkv.New(), "@bob:example.org")
	id, err := w.peer.Identity(t.Context())
	must(t, err)
	w.them = id.Curve25519
	w.do(func(tx *txn.Tx) error { w.self, err = w.Machine.account(tx); return err })

	w.receive(w.send(w.peer, w.self.Identity(), WithOneTimeKey(oneTimeKey(t, w.Machine))))
	w.send(w.Machine, w.them, WithOneTimeKey(oneTimeKey(t, w.peer)))
	w.next = w.send(w.peer, w.self.Identity())
	w.fresh = w.send(w.peer, w.self.Identity(), WithOneTimeKey(oneTimeKey(t, w.Machine)))
	return w
}

func makeMachine(t *testing.T, store kv.Store, user matrix.UserID) *Machine {
	t.Helper()
	s, err := Open(t.Context(), store, WithKey([32]byte{1}))
	must(t, err)
	m, err := s.Create(t.Context(), user, "DEVICE")
	must(t, err)
	return m
}

func oneTimeKey(t *testing.T, m *Machine) ratchet.PublicKey {
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

func (w *ward) send(m *Machine, to ratchet.PublicKey, opts ...EncryptOption) ratchet.Message {
	w.Helper()
	e, err := m.Encrypt(w.Context(), to, []byte("text"), opts...)
	must(w.T, err)
	return e.Message
}

func (w *ward) receive(m ratchet.Message) {
	w.Helper()
	_, err := w.Decrypt(w.Context(), w.them, m)
	must(w.T, err)
}

// do writes behind the Machine's back.
func (w *ward) do(fn func(tx *txn.Tx) error) {
	w.Helper()
	_, err := txn.Do(w.Context(), w.db, func(tx *txn.Tx) (struct{}, error) { return struct{}{}, fn(tx) })
	must(w.T, err)
}

// one returns the record of a kind that want chooses.
func one[N, T any](w *ward, r *txn.Record[N, T], want func(T) bool) T {
	w.Helper()
	found, err := txn.View(w.Context(), w.db, func(tx *txn.Tx) ([]T, error) {
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

func (w *ward) peerRecord() session.Peer {
	return one(w, &peers, func(session.Peer) bool { return true })
}

func (w *ward) session(o session.Origin) session.Session {
	return one(w, &sessions, func(s session.Session) bool { return s.Origin() == o })
}

func (w *ward) key(used bool) otk.Key {
	return one(w, &keys, func(k otk.Key) bool { _, _, u := k.Used(); return u == used && !k.Fallback() })
}

func (w *ward) receipt() session.Receipt {
	return one(w, &receipts, func(session.Receipt) bool { return true })
}

// raw returns the stored key of the first entry of a kind.
func (w *ward) raw(kind string) string {
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

func (w *ward) overwrite(key string, value []byte) {
	w.Helper()
	_, err := w.kv.Commit(w.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: value}}})
	must(w.T, err)
}

// wrongPair is a key pair whose public part is of another private part.
func wrongPair(public ratchet.PublicKey) ratchet.KeyPair {
	return ratchet.RestoreKeyPair(public, [32]byte{8, 8, 8})
}

// misnamed is a kind whose every value is stored under one name.
func misnamed[N, T any](r *txn.Record[N, T], at txn.Path) *txn.Record[txn.Path, T] {
	return &txn.Record[txn.Path, T]{
		Kind: r.Kind, Codec: r.Codec,
		Name: func(T) txn.Path { return at }, Path: func(p txn.Path) txn.Path { return p },
	}
}

// damages are ways to break an invariant, and a line that Check must say.
var damages = []struct {
	name  string
	cause func(w *ward) func(tx *txn.Tx) error
	line  string
}{
	{"a listed session is missing", func(w *ward) func(*txn.Tx) error {
		s := w.session(session.Outbound)
		return func(tx *txn.Tx) error { return sessions.Delete(tx, nameOf(s)) }
	}, "which is missing"},
	{"a listed session is of another peer", func(w *ward) func(*txn.Tx) error {
		other := session.NewPeer(ratchet.PublicKey{7})
		other, _ = other.Add(w.session(session.Outbound).ID())
		return func(tx *txn.Tx) error { return peers.Put(tx, other) }
	}, "which is with"},
	{"a pruned session is listed", func(w *ward) func(*txn.Tx) error {
		s := w.session(session.Outbound).Prune(time.Now())
		return func(tx *txn.Tx) error { return sessions.Put(tx, s) }
	}, "which was pruned"},
	{"a session is not listed", func(w *ward) func(*txn.Tx) error {
		p := w.peerRecord().Remove(w.session(session.Outbound).ID())
		return func(tx *txn.Tx) error { return peers.Put(tx, p) }
	}, "is not listed by its peer"},
	{"the peer's record is gone", func(w *ward) func(*txn.Tx) error {
		p := w.peerRecord()
		return func(tx *txn.Tx) error { return peers.Delete(tx, p.Identity()) }
	}, "is not listed by its peer"},
	{"a session under another name", func(w *ward) func(*txn.Tx) error {
		s := w.session(session.Outbound)
		return func(tx *txn.Tx) error {
			return errors.Join(sessions.Delete(tx, nameOf(s)), misnamed(&sessions, txn.PathOf(w.them.String(), "else")).Put(tx, s))
		}
	}, "is stored under another name"},
	{"a receipt under a second name", func(w *ward) func(*txn.Tx) error {
		r := w.receipt()
		return func(tx *txn.Tx) error { return misnamed(&receipts, txn.PathOf("else")).Put(tx, r) }
	}, "1 receipt records are copies"},
	{"a used key without a tombstone", func(w *ward) func(*txn.Tx) error {
		k := w.key(true)
		return func(tx *txn.Tx) error { return keys.Delete(tx, k.Public()) }
	}, "left no tombstone"},
	{"a used key that looks unused", func(w *ward) func(*txn.Tx) error {
		k := w.key(true)
		unused := otk.NewKey(k.ID(), wrongPair(k.Public()), false, k.Created())
		return func(tx *txn.Tx) error { return keys.Put(tx, unused) }
	}, "is not marked so"},
	{"a key that names a session of another key", func(w *ward) func(*txn.Tx) error {
		k, err := w.key(false).Use(w.session(session.WithOneTimeKey).ID(), time.Now())
		must(w.T, err)
		return func(tx *txn.Tx) error { return keys.Put(tx, k) }
	}, "which another key opened"},
	{"a key of the pool is missing", func(w *ward) func(*txn.Tx) error {
		k := w.key(false)
		return func(tx *txn.Tx) error { return keys.Delete(tx, k.Public()) }
	}, "which is missing"},
	{"the fallback key is missing", func(w *ward) func(*txn.Tx) error {
		k := one(w, &keys, otk.Key.Fallback)
		return func(tx *txn.Tx) error { return keys.Delete(tx, k.Public()) }
	}, "which is missing"},
	{"a key has another id in the pool", func(w *ward) func(*txn.Tx) error {
		k := w.key(false)
		pair, err := k.Pair()
		must(w.T, err)
		return func(tx *txn.Tx) error {
			return keys.Put(tx, otk.NewKey(99, pair, false, k.Created()))
		}
	}, "has another id or kind in the pool"},
	{"a key is not in the pool", func(w *ward) func(*txn.Tx) error {
		pair := ratchet.NewKeyPair([32]byte{3})
		k := otk.NewKey(1, pair, false, time.Now())
		return func(tx *txn.Tx) error { return keys.Put(tx, k) }
	}, "is not in the pool"},
	{"the pool is empty", func(*ward) func(*txn.Tx) error {
		return func(tx *txn.Tx) error { return pools.Delete(tx) }
	}, "is not in the pool"},
	{"the halves of a key do not match", func(w *ward) func(*txn.Tx) error {
		k := w.key(false)
		return func(tx *txn.Tx) error {
			return keys.Put(tx, otk.NewKey(k.ID(), wrongPair(k.Public()), false, k.Created()))
		}
	}, "do not match"},
	{"the halves of the identity key do not match", func(w *ward) func(*txn.Tx) error {
		a, err := account.Restore(w.user, w.device, wrongPair(w.self.Identity()), w.self.SigningKey(), w.self.Created())
		must(w.T, err)
		return func(tx *txn.Tx) error { return accounts.Put(tx, a) }
	}, "identity key does not match"},
	{"a receipt of no session", func(*ward) func(*txn.Tx) error {
		r := session.NewReceipt(session.ReceiptID{5}, ratchet.SessionID{5}, ratchet.RestoreMessageKey([32]byte{5}), time.Now())
		return func(tx *txn.Tx) error { return receipts.Put(tx, r) }
	}, "which is missing"},
}

func TestCheckFindsDamage(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			w := newWard(t)
			w.wantCheck("")
			w.do(d.cause(w))
			w.wantCheck(d.line)
		})
	}
}

// wantCheck fails the test unless Check says a line with text in it; nothing
// at all for no text.
func (w *ward) wantCheck(text string) {
	w.Helper()
	lines, err := w.Check(w.Context())
	must(w.T, err)
	says := slices.ContainsFunc(lines, func(line string) bool { return strings.Contains(line, text) })
	if text == "" && len(lines) > 0 || text != "" && !says {
		w.Errorf("check says %q, want %q", lines, text)
	}
}

// TestDamagedValues: a value that was flipped, cut, or moved from another key.
func TestDamagedValues(t *testing.T) {
	for _, kind := range []string{"peer", "session", "otk/", "otk-pool", "receipt", "account"} {
		for name, damage := range map[string]func(value []byte) []byte{
			"flipped": func(v []byte) []byte { v[len(v)/2] ^= 1; return v },
			"cut":     func(v []byte) []byte { return v[:len(v)-1] },
			"empty":   func([]byte) []byte { return nil },
			"moved":   nil,
		} {
			t.Run(kind+" "+name, func(t *testing.T) {
				w := newWard(t)
				key := w.raw(kind)
				from := key
				if damage == nil {
					from, damage = "_/keyring", func(v []byte) []byte { return v }
				}
				snap := w.kv.Snapshot()
				entries, err := snap.Get(t.Context(), from)
				must(t, err)
				snap.Close()
				w.overwrite(key, damage(bytes.Clone(entries[0].Value)))
				lines, err := w.Check(t.Context())
				if errors.Is(err, kv.ErrCorrupt) == (len(lines) > 0) || !errors.Is(err, kv.ErrCorrupt) && err != nil {
					t.Errorf("check says %q, error %v", lines, err)
				}
			})
		}
	}
}

// TestMissingIsDamage: a record that another names and that is missing is
// damage, and never taken for a stranger, a new key or no session.
func TestMissingIsDamage(t *testing.T) {
	decryptNext := func(w *ward) error { _, err := w.Decrypt(w.Context(), w.them, w.next); return err }
	decryptFresh := func(w *ward) error { _, err := w.Decrypt(w.Context(), w.them, w.fresh); return err }
	encrypt := func(w *ward) error { _, err := w.Encrypt(w.Context(), w.them, []byte("text")); return err }
	upload := func(w *ward) error { _, err := w.KeysForUpload(w.Context(), 1); return err }
	inspect := func(w *ward) error { _, err := w.Inspect(w.Context()); return err }
	uses := map[string][]func(*ward) error{
		"a listed session is missing":  {decryptNext, decryptFresh, encrypt, inspect},
		"a pruned session is listed":   {decryptNext, encrypt, inspect},
		"the peer's record is gone":    {decryptNext, decryptFresh, encrypt},
		"a key of the pool is missing": {decryptFresh, upload, inspect},
	}
	for _, d := range damages {
		for i, use := range uses[d.name] {
			t.Run(fmt.Sprintf("%s %d", d.name, i), func(t *testing.T) {
				w := newWard(t)
				w.do(d.cause(w))
				if err := use(w); !errors.Is(err, kv.ErrCorrupt) {
					t.Errorf("error is %v, want %v", err, kv.ErrCorrupt)
				}
			})
		}
	}
	w := newWard(t)
	k := one(w, &keys, otk.Key.Fallback)
	m := w.send(w.peer, w.self.Identity(), WithOneTimeKey(k.Public()))
	w.do(func(tx *txn.Tx) error { return keys.Delete(tx, k.Public()) })
	if _, err := w.Decrypt(t.Context(), w.them, m); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("without the fallback key: %v, want %v", err, kv.ErrCorrupt)
	}
}

// TestRetired: an account that was moved away inspects and does nothing else.
func TestRetired(t *testing.T) {
	w := newWard(t)
	retired := w.self.Retire("store", "/elsewhere", time.Now())
	w.do(func(tx *txn.Tx) error { return accounts.Put(tx, retired) })
	r := w.receipt()
	ctx := t.Context()
	before := w.head()
	for name, call := range map[string]func() error{
		"Decrypt":            func() error { _, err := w.Decrypt(ctx, w.them, w.next); return err },
		"Encrypt":            func() error { _, err := w.Encrypt(ctx, w.them, nil); return err },
		"Encrypt with a key": func() error { _, err := w.Encrypt(ctx, w.them, nil, WithOneTimeKey(w.them)); return err },
		"KeysForUpload":      func() error { _, err := w.KeysForUpload(ctx, 1); return err },
		"MarkPublished":      func() error { return w.MarkPublished(ctx, Upload{}) },
		"Abandon":            func() error { return w.Abandon(ctx, Upload{}) },
		"Acknowledge":        func() error { return w.Acknowledge(ctx, r.ID()) },
		"Sweep":              func() error { _, err := w.Sweep(ctx, time.Now().AddDate(1, 0, 0)); return err },
		"DecryptBatch, result": func() error {
			r, err := w.DecryptBatch(ctx, []Incoming{{w.them, w.next}})
			must(t, err)
			return r[0].Err
		},
	} {
		if err := call(); !errors.Is(err, account.ErrRetired) {
			t.Errorf("%s gives %v, want %v", name, err, account.ErrRetired)
		}
	}
	if after := w.head(); after != before {
		t.Errorf("version %d has become %d", before, after)
	}
	in, err := w.Inspect(ctx)
	if err != nil || in.Retired != "/elsewhere" {
		t.Errorf("inspection says %q, error %v", in.Retired, err)
	}
	w.wantCheck("")
}

func (w *ward) head() kv.Version {
	snap := w.kv.Snapshot()
	defer snap.Close()
	v, err := snap.Version(w.Context())
	must(w.T, err)
	return v
}

// TestExhausted: at the last index of a chain both sides stop, and a new chain
// goes on.
func TestExhausted(t *testing.T) {
	w := newWard(t)
	s := w.session(session.WithOneTimeKey)
	state, err := s.Ratchet()
	must(t, err)
	record, err := state.AppendBinary(nil)
	must(t, err)
	// The index of the only receiver chain: see the layout in package ratchet.
	const flags, index = 1, 2 + 4*32 + 1 + 2*32
	if record[flags]&4 != 0 || record[index-2*32-1] != 1 {
		t.Fatal("not the state that this test knows")
	}
	binary.BigEndian.PutUint32(record[index:], 1<<32-1)
	last, err := ratchet.DecodeSession(record)
	must(t, err)
	s = s.Received(last, time.Now())
	w.do(func(tx *txn.Tx) error { return sessions.Put(tx, s) })

	normal := w.next.Body[1+3*34+1:]
	for normal[0] >= 0x80 {
		normal = normal[1:]
	}
	normal = slices.Clone(normal[1:])
	at := 1 + 2 + 32 + 1
	normal = slices.Concat(normal[:at], binary.AppendUvarint(nil, 1<<32-1), normal[at+1:])
	_, err = w.Decrypt(t.Context(), w.them, ratchet.Message{Type: ratchet.Normal, Body: normal})
	if !errors.Is(err, ratchet.ErrExhausted) {
		t.Errorf("the last index gives %v, want %v", err, ratchet.ErrExhausted)
	}
	w.wantCheck("")
}

// TestInspectShowsNoSecrets prints an inspection, and an account's error paths,
// and looks for the bytes of every private key and message key in the store.
func TestInspectShowsNoSecrets(t *testing.T) {
	w := newWard(t)
	in, err := w.Inspect(t.Context())
	must(t, err)
	text := fmt.Sprintf("%v %+v %#v", in, in, in)
	encoded, err := json.Marshal(in)
	must(t, err)
	text += string(encoded)
	if !strings.Contains(text, w.them.String()) {
		t.Fatal("the inspection does not name the peer")
	}
	pair, err := w.key(false).Pair()
	must(t, err)
	kept, ok := w.receipt().Key()
	if !ok {
		t.Fatal("the receipt keeps no key")
	}
	for name, secret := range map[string][32]byte{
		"identity key": w.self.IdentityPair().Private(), "one-time key": pair.Private(), "message key": kept.Bytes(),
	} {
		for _, form := range []string{hex.EncodeToString(secret[:]), fmt.Sprint(secret[:]), string(secret[:])} {
			if strings.Contains(text, form) {
				t.Errorf("the inspection shows the %s", name)
			}
		}
	}
}
