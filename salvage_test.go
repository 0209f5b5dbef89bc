package pawl_test

import (
	"errors"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn/seal"
)

// TestSalvage: whatever is left of a store, the new one is whole, and none of its
// accounts sends before it is recovered.
func TestSalvage(t *testing.T) {
	w := newWard(t)
	rapid.Check(t, func(r *rapid.T) {
		var left []kv.Entry
		for _, e := range w.whole.entries {
			switch fate := rapid.IntRange(0, 9).Draw(r, e.Key); {
			case e.Key == w.keys["keyring"] || fate > 2:
				left = append(left, e)
			case fate == 2: // cut off, as where its other pieces are lost
				left = append(left, kv.Entry{Key: e.Key, Value: e.Value[:len(e.Value)/2], Version: e.Version})
			}
		}
		to, chain := newMemory(), &keychain{}
		opts := []pawl.Option{testKey, pawl.WithClock(w.phone.clock.now), pawl.WithWitness(chain)}
		if _, err := pawl.Salvage(t.Context(), left, to, opts...); err != nil {
			r.Fatal(err)
		}
		s, err := pawl.Open(t.Context(), to, opts...)
		if err != nil {
			r.Fatal(err)
		}
		if found, err := s.Check(t.Context()); len(found) > 0 || err != nil {
			r.Fatalf("check finds %v, %v", found, err)
		}
		ids, err := s.Accounts(t.Context())
		if err != nil {
			r.Fatal(err)
		}
		for _, id := range ids {
			m, err := s.Machine(t.Context(), id.UserID, id.DeviceID)
			if err != nil {
				r.Fatal(err)
			}
			if _, err := m.KeysForUpload(t.Context(), 1); !errors.Is(err, pawl.ErrNeedsRecovery) {
				r.Fatalf("%s uploads: %v", id.DeviceID, err)
			}
			if _, err := m.Encrypt(t.Context(), w.bob.id.Curve25519, nil, pawl.WithOneTimeKey(w.bobsKey)); !errors.Is(err, pawl.ErrNeedsRecovery) {
				r.Fatalf("%s sends: %v", id.DeviceID, err)
			}
			if _, err := m.Recover(t.Context()); err != nil {
				r.Fatal(err)
			}
			if _, err := m.Encrypt(t.Context(), w.bob.id.Curve25519, nil); !errors.Is(err, pawl.ErrNoSession) {
				r.Fatalf("%s sends in an old session: %v", id.DeviceID, err)
			}
			if _, err := m.KeysForUpload(t.Context(), 1); err != nil {
				r.Fatal(err)
			}
			if _, err := m.Encrypt(t.Context(), w.bob.id.Curve25519, nil, pawl.WithOneTimeKey(w.bobsKey)); err != nil {
				r.Fatal(err)
			}
		}
	})
}

// TestSalvageRefuses: what cannot be made a store leaves none.
func TestSalvageRefuses(t *testing.T) {
	w := newWard(t)
	without := slices.DeleteFunc(slices.Clone(w.whole.entries), func(e kv.Entry) bool { return e.Key == pawl.KeyringKey })
	damaged := append(slices.Clone(without), kv.Entry{Key: pawl.KeyringKey, Value: []byte("damaged")})
	used := newMemory()
	putRaw(t, used, "something", "else")
	for name, c := range map[string]struct {
		entries []kv.Entry
		to      kv.Store
		opts    []pawl.Option
		want    error
	}{
		"no key":             {w.whole.entries, newMemory(), nil, pawl.ErrNoKey},
		"another key":        {w.whole.entries, newMemory(), []pawl.Option{pawl.WithKey([32]byte{1})}, seal.ErrPassphrase},
		"no keyring":         {without, newMemory(), []pawl.Option{testKey}, pawl.ErrNoKeyring},
		"a damaged keyring":  {damaged, newMemory(), []pawl.Option{testKey}, pawl.ErrNoKeyring},
		"a store that is in": {w.whole.entries, used, []pawl.Option{testKey}, kv.ErrInvalid},
	} {
		before := len(dump(t, c.to))
		_, err := pawl.Salvage(t.Context(), c.entries, c.to, c.opts...)
		if !errors.Is(err, c.want) || len(dump(t, c.to)) != before {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
