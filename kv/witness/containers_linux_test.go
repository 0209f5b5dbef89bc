package witness_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/badgerkv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

var engines = map[string]func(dir string) (kv.Store, error){
	"badger": func(dir string) (kv.Store, error) { return badgerkv.Open(filepath.Join(dir, "store")) },
	"sqlite": func(dir string) (kv.Store, error) { return sqlitekv.Open(filepath.Join(dir, "store.db")) },
}

// TestContainersOfOneImage: an image has a store in it. Of the containers that
// begin with it none sends, whichever is first, and all decrypt. One that was
// recovered goes on, also when it was stopped and started.
func TestContainersOfOneImage(t *testing.T) {
	witness.EachBase(t, func(t *testing.T, base string) {
		for name, open := range engines {
			if name == "badger" && strconv.IntSize < 64 {
				continue
			}
			t.Run(name, func(t *testing.T) { testContainers(t, filepath.Join(base, name), open) })
		}
	})
}

func testContainers(t *testing.T, base string, open func(dir string) (kv.Store, error)) {
	bob := newMachine(t, memkv.New(), "@bob:example.org")
	var letter ratchet.Message // from Bob, which nobody has read yet
	build := witness.NewContainer(base, "build", filepath.Join(base, "empty"))
	if !build.Start(t) {
		return
	}
	within(t, build, open, func(alice *pawl.Machine) {
		decrypt(t, bob, alice, encrypt(t, alice, bob, pawl.WithOneTimeKey(oneTimeKey(t, bob))))
		letter = encrypt(t, bob, alice)
	})
	build.Stop(t)
	build.Start(t)
	within(t, build, open, func(alice *pawl.Machine) {
		if why, needed, err := alice.NeedsRecovery(t.Context()); needed || err != nil {
			t.Errorf("a container that was started again: %v, %v", why, err)
		}
	})
	build.Stop(t)

	one, two := witness.NewContainer(base, "one", build.Layer), witness.NewContainer(base, "two", build.Layer)
	for _, twin := range []witness.Container{one, two} {
		twin.Start(t)
		within(t, twin, open, func(alice *pawl.Machine) {
			why, needed, err := alice.NeedsRecovery(t.Context())
			if !needed || why.Cause != account.Copied || err != nil {
				t.Errorf("needs recovery: %v, %v, %v; want because %v", needed, why.Cause, err, account.Copied)
			}
			if _, err := alice.Encrypt(t.Context(), curve(t, bob), []byte("hello")); !errors.Is(err, pawl.ErrNeedsRecovery) {
				t.Errorf("encrypt: %v, want %v", err, pawl.ErrNeedsRecovery)
			}
			decrypt(t, alice, bob, letter)
			if _, err := alice.Recover(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	one.Stop(t)
	one.Start(t)
	within(t, one, open, func(alice *pawl.Machine) {
		decrypt(t, bob, alice, encrypt(t, alice, bob, pawl.WithOneTimeKey(oneTimeKey(t, bob))))
	})
}

// within opens the store of a container, calls f with Alice's device, and closes
// it.
func within(t *testing.T, c witness.Container, open func(dir string) (kv.Store, error), f func(alice *pawl.Machine)) {
	t.Helper()
	store, err := open(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	f(newMachine(t, store, "@alice:example.org"))
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}

func newMachine(t *testing.T, store kv.Store, user matrix.UserID) *pawl.Machine {
	t.Helper()
	s, err := pawl.Open(t.Context(), store, pawl.WithKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.OpenOrCreate(t.Context(), user, "PHONE")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func curve(t *testing.T, m *pawl.Machine) ratchet.PublicKey {
	t.Helper()
	id, err := m.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return id.Curve25519
}

func encrypt(t *testing.T, from, to *pawl.Machine, opts ...pawl.EncryptOption) ratchet.Message {
	t.Helper()
	e, err := from.Encrypt(t.Context(), curve(t, to), []byte("hello"), opts...)
	if err != nil {
		t.Fatal(err)
	}
	return e.Message
}

func decrypt(t *testing.T, by, from *pawl.Machine, m ratchet.Message) {
	t.Helper()
	if _, err := by.Decrypt(t.Context(), curve(t, from), m); err != nil {
		t.Fatal(err)
	}
}

func oneTimeKey(t *testing.T, m *pawl.Machine) ratchet.PublicKey {
	t.Helper()
	u, err := m.KeysForUpload(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Keys map[string]struct {
			Key string `json:"key"`
		} `json:"one_time_keys"`
	}
	if err := json.Unmarshal(u.Body, &body); err != nil {
		t.Fatal(err)
	}
	for _, k := range body.Keys {
		key, err := ratchet.ParsePublicKey(k.Key)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	t.Fatal("an upload without a key")
	return ratchet.PublicKey{}
}
