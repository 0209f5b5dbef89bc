package pawl_test

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn/seal"
)

// ward is a store with a record of every kind to damage, and messages that need
// them. The phone has two sessions with Bob and one with Carol, and does not
// know Dave; the tablet, in the same store, has to do with none of them.
type ward struct {
	phone            *device
	bob, carol, dave *device
	keychain         *keychain
	whole            backup
	keys             map[string]string // of the store, by what a test calls the record

	seen             ratchet.Message // of Bob, read before
	inOne, inTwo     ratchet.Message // of Bob, the next in his sessions; the second is the newer one
	ofCarol          ratchet.Message
	fresh, stranger  ratchet.Message // of Bob and Dave, each opens a session
	byFallback       ratchet.Message // of Dave
	forNoKey         ratchet.Message // of Dave, for a key that the phone never had
	receipts         []pawl.Decrypted
	bobsKey, daveKey ratchet.PublicKey // one-time keys of theirs
	offered          pawl.Upload
}

func newWard(t testing.TB) *ward {
	w := &ward{keychain: &keychain{}, keys: map[string]string{}}
	person := func(user matrix.UserID) *device { return newDevice(t, newMemory(), user) }
	w.bob, w.carol, w.dave = person("@bob:example.org"), person("@carol:example.org"), person("@dave:example.org")
	w.phone = newDevice(t, newMemory(), "@alice:example.org", pawl.WithWitness(w.keychain))
	w.name(t, "account", "account", "keyring", "keyring", "witness", "witness", "witnessed", "witnessed")
	if _, err := w.phone.store.Create(t.Context(), "@alice:example.org", "TABLET"); err != nil {
		t.Fatal(err)
	}
	w.name(t, "account", "tablet")
	fallback := w.phone.fallbackKey()
	w.name(t, "otk", "fallback key", "otk-pool", "pool")
	used := w.phone.oneTimeKey()
	w.name(t, "otk", "used key")

	w.seen = w.bob.send(w.phone, "seen", pawl.WithOneTimeKey(used))
	w.receipts = append(w.receipts, w.phone.receive(w.bob, w.seen))
	w.name(t, "session", "session one", "peer", "bob", "receipt", "receipt")
	w.inOne = w.bob.send(w.phone, "in one")
	w.receipts = append(w.receipts, w.phone.receive(w.carol, w.carol.send(w.phone, "hello", pawl.WithOneTimeKey(fallback))))
	w.name(t, "session", "carol's session", "peer", "carol", "receipt", "other receipt")
	w.ofCarol = w.carol.send(w.phone, "of carol")
	w.bob.receive(w.phone, w.phone.send(w.bob, "mine", pawl.WithOneTimeKey(w.bob.oneTimeKey())))
	w.name(t, "session", "session two")
	w.inTwo = w.bob.send(w.phone, "in two")
	fresh := w.phone.oneTimeKey()
	w.name(t, "otk", "fresh key")
	w.fresh = w.bob.send(w.phone, "fresh", pawl.WithOneTimeKey(fresh))
	w.stranger = w.dave.send(w.phone, "stranger", pawl.WithOneTimeKey(w.phone.oneTimeKey()))
	w.byFallback = w.dave.send(w.phone, "by fallback", pawl.WithOneTimeKey(fallback))
	w.forNoKey = w.dave.send(w.phone, "for no key", pawl.WithOneTimeKey(w.carol.oneTimeKey()))
	w.offered, _, _ = w.phone.upload(2)
	w.bobsKey, w.daveKey = w.bob.oneTimeKey(), w.dave.oneTimeKey()
	w.whole = back(t, w.phone.kv)
	return w
}

// name names the records that came into being since it was last called: pairs of
// a kind, of which there is one new record, and what it is called from now on.
func (w *ward) name(t testing.TB, pairs ...string) {
	t.Helper()
	for pair := range slices.Chunk(pairs, 2) {
		found := 0
		for _, e := range back(t, w.phone.kv).entries {
			if strings.Split(e.Key, "/")[1] == pair[0] && !w.named(e.Key) {
				w.keys[pair[1]] = e.Key
				found++
			}
		}
		if found != 1 {
			t.Fatalf("%d new records could be the %s", found, pair[1])
		}
	}
}

func (w *ward) named(key string) bool {
	for _, known := range w.keys {
		if known == key {
			return true
		}
	}
	return false
}

// value returns what is stored of a record.
func (w *ward) value(name string) []byte {
	for _, e := range w.whole.entries {
		if e.Key == w.keys[name] {
			return bytes.Clone(e.Value)
		}
	}
	return nil
}

// harms are the ways to damage a record; nil: it is missing.
var harms = map[string]func(w *ward, name string) []byte{
	"flipped": func(w *ward, name string) []byte { b := w.value(name); b[len(b)/2] ^= 1; return b },
	"version": func(w *ward, name string) []byte { b := w.value(name); b[0] ^= 2; return b },
	"cut":     func(w *ward, name string) []byte { b := w.value(name); return b[:len(b)-1] },
	"short":   func(w *ward, name string) []byte { return w.value(name)[:1] },
	"empty":   func(*ward, string) []byte { return []byte{} },
	"moved": func(w *ward, name string) []byte {
		if name == "carol" {
			return w.value("bob")
		}
		return w.value("carol")
	},
	"missing": func(*ward, string) []byte { return nil },
}

// newer is a record as a program of another time writes it: no damage.
func newer(w *ward, name string) []byte {
	at := len("_/keyring") + 1
	stored := w.value("keyring")
	if name == "keyring" {
		stored[at] = 100
		sum := sha256.Sum256(stored[at : len(stored)-8])
		copy(stored[len(stored)-8:], sum[:])
		return stored
	}
	ring, err := seal.Open(stored[at:], seal.RawKey([32]byte{9}))
	if err != nil {
		panic(err)
	}
	plain, err := ring.Open(nil, w.keys[name], w.value(name))
	if err != nil {
		panic(err)
	}
	plain[0] = 100
	return ring.Seal(nil, w.keys[name], plain)
}

// harmed returns the ward with one record damaged, in a store of its own, in
// which the phone is open.
func (w *ward) harmed(t *testing.T, name string, harm func(*ward, string) []byte) *ward {
	t.Helper()
	other := *w
	store := w.whole.restore(t)
	other.keychain = &keychain{mark: w.keychain.mark}
	phone := *w.phone
	phone.t, phone.ctx, phone.kv = t, t.Context(), store
	phone.store = phone.open(pawl.WithWitness(other.keychain))
	var err error
	if phone.Machine, err = phone.store.Machine(t.Context(), phone.id.UserID, phone.id.DeviceID); err != nil {
		t.Fatal(err)
	}
	other.phone = &phone
	value := harm(w, name)
	commit(t, store, kv.Write{Key: w.keys[name], Value: value, Delete: value == nil})
	return &other
}
