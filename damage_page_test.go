package pawl_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/sqlitekv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// TestBadPage makes each page of an SQLite file bad in turn: a call does what it
// always does, or fails as damaged, and what the engine can read of the others goes
// on. A new store of what can be read is whole, and sends after its recovery only.
func TestBadPage(t *testing.T) {
	const peers, pageSize = 8, 4096
	dir := filepath.Join(t.TempDir(), "store")
	var devices []*device
	var next []ratchet.Message
	var keys []ratchet.PublicKey
	opener(openSQLite).inDirectory(t, dir, func(alice *device) {
		for i := range peers {
			d := newDevice(t, newMemory(), matrix.UserID(fmt.Sprintf("@peer%d:example.org", i)))
			d.meet(alice)
			alice.receive(d, d.send(alice, "again"))
			devices, next, keys = append(devices, d), append(next, d.send(alice, "next")), append(keys, d.oneTimeKey())
		}
	}, pawl.WithoutNoticingCopies())
	whole, err := os.ReadFile(filepath.Join(dir, "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	together := 0 // pages of which some calls need one, and others do not
	for page := range len(whole) / pageSize {
		path := filepath.Join(t.TempDir(), "store.db")
		bad := append([]byte(nil), whole...)
		bad[page*pageSize+pageSize/2] ^= 4
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		done, failed := withBadPage(t, path, devices, next)
		if done > 0 && failed > 0 {
			together++
		}
		if page%8 == 0 {
			salvagesPage(t, path, devices[0], keys[0])
		}
	}
	if together == 0 {
		t.Error("no page that some calls need left the others alone")
	}
}

// withBadPage makes the calls of each peer and returns how many did what they
// always do, and how many failed as damaged.
func withBadPage(t *testing.T, path string, devices []*device, next []ratchet.Message) (done, failed int) {
	t.Helper()
	count := func(what string, err error) bool {
		switch {
		case err == nil:
			done++
		case errors.Is(err, kv.ErrCorrupt):
			failed++
		default:
			t.Errorf("%s: %v, want %v", what, err, kv.ErrCorrupt)
		}
		return err == nil
	}
	engine, err := sqlitekv.Open(path, sqlitekv.WithLostTail())
	if !count("open the engine", err) {
		return 0, failed
	}
	defer engine.Close()
	store, err := pawl.Open(t.Context(), engine, testKey, pawl.WithoutNoticingCopies())
	if !count("open", err) {
		return 0, failed
	}
	m, err := store.Machine(t.Context(), "@alice:example.org", "DEVICE")
	if !count("find the account", err) {
		return 0, failed
	}
	id, err := m.Identity(t.Context())
	if !count("identity", err) {
		return 0, failed
	}
	for i, d := range devices {
		got, err := m.Decrypt(t.Context(), d.id.Curve25519, next[i])
		if count("decrypt", err) && string(got.Plaintext) != "next" {
			t.Errorf("the plaintext is %q", got.Plaintext)
		}
		made, err := m.Encrypt(t.Context(), d.id.Curve25519, []byte("reply"))
		if !count("encrypt", err) {
			continue
		}
		reader := d.on(back(t, d.kv).restore(t))
		if got, err := reader.Decrypt(t.Context(), id.Curve25519, made.Message); err != nil || string(got.Plaintext) != "reply" {
			t.Errorf("what was sent is %q, %v", got.Plaintext, err)
		}
	}
	_, err = store.Check(t.Context())
	count("check", err)
	_, err = m.Inspect(t.Context())
	count("inspect", err)
	return done, failed
}

// salvagesPage makes a store of what can be read.
func salvagesPage(t *testing.T, path string, to *device, key ratchet.PublicKey) {
	t.Helper()
	found, err := sqlitekv.Salvage(path)
	if err != nil || len(found.Faults) == 0 {
		t.Errorf("salvage: faults %v, %v", found.Faults, err)
		return
	}
	engine := newMemory()
	if _, err := pawl.Salvage(t.Context(), found.Entries, engine, testKey); errors.Is(err, pawl.ErrNoKeyring) {
		return
	} else if err != nil {
		t.Error(err)
		return
	}
	s := openStore(t, engine, testKey, pawl.WithWitness(&keychain{}))
	m, err := s.Machine(t.Context(), "@alice:example.org", "DEVICE")
	if err != nil {
		return // its record was on the page
	}
	if _, err := m.Encrypt(t.Context(), to.id.Curve25519, nil, pawl.WithOneTimeKey(key)); !errors.Is(err, pawl.ErrNeedsRecovery) {
		t.Errorf("it sends: %v", err)
	}
	if _, err := m.Recover(t.Context()); err != nil {
		t.Error(err)
	}
	if lines, err := m.Check(t.Context()); len(lines) > 0 || err != nil {
		t.Errorf("check finds %v, %v", lines, err)
	}
}
