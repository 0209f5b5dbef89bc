package upkeep_test

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// misnamed is a kind whose every value is stored under one name: what package
// records lets nobody write.
func misnamed[N, T any](r *txn.Record[N, T], at txn.Path) *txn.Record[txn.Path, T] {
	return &txn.Record[txn.Path, T]{
		Kind: r.Kind, Codec: r.Codec,
		Name: func(T) txn.Path { return at },
		Path: func(n txn.Path) txn.Path { return n },
	}
}

// damages are ways to break an invariant, and a line that Check must say.
var damages = []struct {
	name  string
	cause func(w *fixture) func(tx *txn.Tx) error
	line  string
}{
	{"a listed session is missing", func(w *fixture) func(*txn.Tx) error {
		s := w.session(session.Outbound)
		return func(tx *txn.Tx) error { return records.Sessions.Delete(tx, records.Sessions.Name(s)) }
	}, "which is missing"},
	{"a listed session is of another peer", func(w *fixture) func(*txn.Tx) error {
		other := session.NewPeer(ratchet.PublicKey{7})
		other, _ = other.Add(w.session(session.Outbound).ID())
		return func(tx *txn.Tx) error { return records.Peers.Put(tx, other) }
	}, "which is with"},
	{"a pruned session is listed", func(w *fixture) func(*txn.Tx) error {
		s := w.session(session.Outbound).Prune(time.Now())
		return func(tx *txn.Tx) error { return records.Sessions.Put(tx, s) }
	}, "which was pruned"},
	{"a session is not listed", func(w *fixture) func(*txn.Tx) error {
		p := w.peerRecord().Remove(w.session(session.Outbound).ID())
		return func(tx *txn.Tx) error { return records.Peers.Put(tx, p) }
	}, "is not listed by its peer"},
	{"the peer's record is gone", func(w *fixture) func(*txn.Tx) error {
		p := w.peerRecord()
		return func(tx *txn.Tx) error { return records.Peers.Delete(tx, p.Identity()) }
	}, "is not listed by its peer"},
	{"a session under another name", func(w *fixture) func(*txn.Tx) error {
		s := w.session(session.Outbound)
		return func(tx *txn.Tx) error {
			return errors.Join(records.Sessions.Delete(tx, records.Sessions.Name(s)), misnamed(&records.Sessions, txn.PathOf(w.them.String(), "else")).Put(tx, s))
		}
	}, "is stored under another name"},
	{"a receipt under a second name", func(w *fixture) func(*txn.Tx) error {
		r := w.receipt()
		return func(tx *txn.Tx) error { return misnamed(&records.Receipts, txn.PathOf("else")).Put(tx, r) }
	}, "is stored under another name"},
	{"a used key without a tombstone", func(w *fixture) func(*txn.Tx) error {
		k := w.key(true)
		return func(tx *txn.Tx) error { return records.Keys.Delete(tx, k.Public()) }
	}, "left no tombstone"},
	{"a used key that looks unused", func(w *fixture) func(*txn.Tx) error {
		k := w.key(true)
		unused := otk.NewKey(k.ID(), wrongPair(k.Public()), false, k.Created())
		return func(tx *txn.Tx) error { return records.Keys.Put(tx, unused) }
	}, "is not marked so"},
	{"a key that names a session of another key", func(w *fixture) func(*txn.Tx) error {
		k, err := w.key(false).Use(w.session(session.WithOneTimeKey).ID(), otk.Moment{Time: time.Now()})
		must(w.T, err)
		return func(tx *txn.Tx) error { return records.Keys.Put(tx, k) }
	}, "which another key opened"},
	{"a key of the pool is missing", func(w *fixture) func(*txn.Tx) error {
		k := w.key(false)
		return func(tx *txn.Tx) error { return records.Keys.Delete(tx, k.Public()) }
	}, "which is missing"},
	{"the fallback key is missing", func(w *fixture) func(*txn.Tx) error {
		k := one(w, &records.Keys, otk.Key.Fallback)
		return func(tx *txn.Tx) error { return records.Keys.Delete(tx, k.Public()) }
	}, "which is missing"},
	{"a key has another id in the pool", func(w *fixture) func(*txn.Tx) error {
		k := w.key(false)
		pair, err := k.Pair()
		must(w.T, err)
		return func(tx *txn.Tx) error {
			return records.Keys.Put(tx, otk.NewKey(99, pair, false, k.Created()))
		}
	}, "has another id or kind in the pool"},
	{"a key is not in the pool", func(w *fixture) func(*txn.Tx) error {
		pair := ratchet.NewKeyPair([32]byte{3})
		k := otk.NewKey(1, pair, false, time.Now())
		return func(tx *txn.Tx) error { return records.Keys.Put(tx, k) }
	}, "is not in the pool"},
	{"the pool is empty", func(*fixture) func(*txn.Tx) error {
		return func(tx *txn.Tx) error { return records.Pool.Delete(tx) }
	}, "but no pool that names them"},
	{"the halves of a key do not match", func(w *fixture) func(*txn.Tx) error {
		k := w.key(false)
		return func(tx *txn.Tx) error {
			return records.Keys.Put(tx, otk.NewKey(k.ID(), wrongPair(k.Public()), false, k.Created()))
		}
	}, "do not match"},
	{"the halves of the identity key do not match", func(w *fixture) func(*txn.Tx) error {
		a, err := account.Restore(w.account.Name.User, w.account.Name.Device, wrongPair(w.self.Identity()), w.self.SigningKey(), w.self.Created())
		must(w.T, err)
		return func(tx *txn.Tx) error { return machine.Accounts.Put(tx, a) }
	}, "identity key does not match"},
	{receiptOfNone, func(w *fixture) func(*txn.Tx) error {
		key, err := ratchet.RestoreMessageKey(make([]byte, 32))
		must(w.T, err)
		r := session.NewReceipt(session.ReceiptID{5}, ratchet.SessionID{5}, key, session.Moment{Time: time.Now()})
		return func(tx *txn.Tx) error { return records.Receipts.Put(tx, r) }
	}, "which is missing"},
}

// receiptOfNone is damage in format 1 only: in format 2 a session that was pruned
// may leave nothing.
const receiptOfNone = "a receipt of no session"

func TestCheckFindsDamage(t *testing.T) {
	for _, d := range damages {
		t.Run(d.name, func(t *testing.T) {
			var store kv.Store = memkv.New()
			if d.name == receiptOfNone {
				store = format1{store}
			}
			w := newFixtureOn(t, store)
			w.wantCheck("")
			w.do(d.cause(w))
			w.wantCheck(d.line)
		})
	}
}

// wantCheck fails the test unless Check says a line with text in it; nothing
// at all for no text.
func (w *fixture) wantCheck(text string) {
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
				w := newFixture(t)
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
