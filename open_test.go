package pawl_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn/seal"
)

func TestOpenErrors(t *testing.T) {
	right := pawl.WithPassphrase([]byte("right"))
	cases := []struct {
		name string
		with func(t *testing.T, store kv.Store)
		opts []pawl.Option
		want error
	}{
		{"no key at all", nil, nil, pawl.ErrNoKey},
		{"empty passphrase", nil, []pawl.Option{pawl.WithPassphrase(nil)}, seal.ErrPassphrase},
		{"wrong passphrase", func(t *testing.T, store kv.Store) { openStore(t, store, right) },
			[]pawl.Option{pawl.WithPassphrase([]byte("wrong"))}, seal.ErrPassphrase},
		{"a key for a passphrase", func(t *testing.T, store kv.Store) { openStore(t, store, right) },
			[]pawl.Option{testKey}, seal.ErrPassphrase},
		{"entries and no keyring", func(t *testing.T, store kv.Store) { putRaw(t, store, "somebody/elses", "entry") },
			[]pawl.Option{right}, kv.ErrCorrupt},
		{"the keyring was lost", loseKeyring, []pawl.Option{testKey}, kv.ErrCorrupt},
		{"a keyring of a newer format", func(t *testing.T, store kv.Store) { putRaw(t, store, "_/keyring", "_/keyring\x00\x7fnewer") },
			[]pawl.Option{right}, seal.ErrFormat},
		{"a keyring that is something else", func(t *testing.T, store kv.Store) { putRaw(t, store, "_/keyring", "else") },
			[]pawl.Option{right}, kv.ErrCorrupt},
		{"closed", func(t *testing.T, store kv.Store) { store.Close() }, []pawl.Option{right}, kv.ErrClosed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			store := newMemory()
			if c.with != nil {
				c.with(t, store)
			}
			s, err := pawl.Open(t.Context(), store, c.opts...)
			if !errors.Is(err, c.want) || s != nil {
				t.Errorf("Open gives %v, %v; want %v", s, err, c.want)
			}
		})
	}
}

func loseKeyring(t *testing.T, store kv.Store) {
	newDevice(t, store, "@alice:example.org")
	commit(t, store, kv.Write{Key: "_/keyring", Delete: true})
}

func putRaw(t testing.TB, store kv.Store, key, value string) {
	t.Helper()
	commit(t, store, kv.Write{Key: key, Value: []byte(value)})
}

func commit(t testing.TB, store kv.Store, w ...kv.Write) {
	t.Helper()
	snap := store.Snapshot()
	defer snap.Close()
	head, err := snap.Version(t.Context())
	if err == nil {
		_, err = store.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(head), Writes: w})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestOpenRace: of handles that make the keyring at once, one does, and all
// can read what any of them writes.
func TestOpenRace(t *testing.T) {
	for range 20 {
		store := newMemory()
		opened := make([]*pawl.Store, 4)
		var group sync.WaitGroup
		for i := range opened {
			group.Go(func() {
				var err error
				if opened[i], err = pawl.Open(t.Context(), store, testKey); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if t.Failed() {
			return
		}
		if _, err := opened[0].Create(t.Context(), "@alice:example.org", "A"); err != nil {
			t.Fatal(err)
		}
		for i, s := range opened {
			if _, err := s.Machine(t.Context(), "@alice:example.org", "A"); err != nil {
				t.Errorf("handle %d: %v", i, err)
			}
		}
	}
}

func TestChangePassphrase(t *testing.T) {
	store := newMemory()
	first, second := []byte("first"), []byte("second")
	s := openStore(t, store, pawl.WithPassphrase(first))
	m, err := s.Create(t.Context(), "@alice:example.org", "A")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ChangePassphrase(t.Context(), nil); !errors.Is(err, seal.ErrPassphrase) {
		t.Errorf("an empty passphrase gives %v", err)
	}
	before := dump(t, store)
	if err := s.ChangePassphrase(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	for key, value := range dump(t, store) {
		if (before[key] != value) != (key == "_/keyring") {
			t.Errorf("entry %q: changed is %t", key, before[key] != value)
		}
	}
	if _, err := m.KeysForUpload(t.Context(), 1); err != nil {
		t.Errorf("an open handle: %v", err)
	}
	if _, err := pawl.Open(t.Context(), store, pawl.WithPassphrase(first)); !errors.Is(err, seal.ErrPassphrase) {
		t.Errorf("the old passphrase gives %v", err)
	}
	other := openStore(t, store, pawl.WithPassphrase(second))
	if err := s.ChangePassphrase(t.Context(), first); err != nil {
		t.Errorf("changing it again on the same handle: %v", err)
	}
	if err := other.ChangePassphrase(t.Context(), second); !errors.Is(err, seal.ErrPassphrase) {
		t.Errorf("changing it with one in hand that somebody else has replaced gives %v", err)
	}
	if err := openStore(t, store, pawl.WithPassphrase(first)).ChangeKey(t.Context(), [32]byte{9}); err != nil {
		t.Fatal(err)
	}
	if _, err := openStore(t, store, testKey).Machine(t.Context(), "@alice:example.org", "A"); err != nil {
		t.Errorf("under the raw key: %v", err)
	}
	commit(t, store, kv.Write{Key: "_/keyring", Delete: true})
	if err := s.ChangePassphrase(t.Context(), second); !errors.Is(err, kv.ErrCorrupt) {
		t.Errorf("without a keyring: %v", err)
	}
}

func TestCreateErrors(t *testing.T) {
	d := newDevice(t, newMemory(), "@alice:example.org")
	cases := []struct {
		user   matrix.UserID
		device matrix.DeviceID
		want   error
	}{
		{"@alice:example.org", "DEVICE", pawl.ErrAccountExists},
		{"alice", "DEVICE", matrix.ErrUserID},
		{"@alice", "DEVICE", matrix.ErrUserID},
		{"@al\x00ice:example.org", "DEVICE", matrix.ErrUserID},
		{matrix.UserID("@" + strings.Repeat("a", 300) + ":example.org"), "DEVICE", matrix.ErrUserID},
		{"@alice:example.org", "", matrix.ErrDeviceID},
		{"@alice:example.org", "A\x00B", matrix.ErrDeviceID},
	}
	for _, c := range cases {
		d.unchanged(func() {
			if m, err := d.store.Create(d.ctx, c.user, c.device); !errors.Is(err, c.want) || m != nil {
				t.Errorf("Create(%q, %q) gives %v, want %v", c.user, c.device, err, c.want)
			}
		})
	}
}

// TestCreateRace: one of several handles that create one account does.
func TestCreateRace(t *testing.T) {
	store := newMemory()
	openStore(t, store, testKey)
	errs := make([]error, 4)
	var group sync.WaitGroup
	for i := range errs {
		s := openStore(t, store, testKey)
		group.Go(func() { _, errs[i] = s.Create(t.Context(), "@alice:example.org", "A") })
	}
	group.Wait()
	made := 0
	for _, err := range errs {
		if err == nil {
			made++
		} else if !errors.Is(err, pawl.ErrAccountExists) {
			t.Error(err)
		}
	}
	if made != 1 {
		t.Errorf("%d handles created the account", made)
	}
}

// TestAccountsAreApart: accounts whose names run together share nothing.
func TestAccountsAreApart(t *testing.T) {
	store := newMemory()
	names := []struct {
		user   matrix.UserID
		device matrix.DeviceID
	}{{"@a:b", "CD"}, {"@a:bC", "D"}, {"@a:b", "C"}, {"@a:b", "é/../D"}}
	s := openStore(t, store, testKey)
	var machines []*pawl.Machine
	for _, n := range names {
		m, err := s.Create(t.Context(), n.user, n.device)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.KeysForUpload(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		machines = append(machines, m)
	}
	seen := map[string]bool{}
	for i, m := range machines {
		in, err := m.Inspect(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if in.Identity.UserID != names[i].user || in.Identity.DeviceID != names[i].device || in.Keys.Offered != 3 || in.Keys.NextID != 5 {
			t.Errorf("account %v has %+v", names[i], in)
		}
		seen[in.Identity.Curve25519.String()] = true
	}
	all, err := openStore(t, store, testKey).Accounts(t.Context())
	if err != nil || len(all) != len(names) || len(seen) != len(names) {
		t.Errorf("Accounts returns %d of %d, %d of them with their own keys, error %v", len(all), len(names), len(seen), err)
	}
	if m, err := s.Machine(t.Context(), "@a:b", "nobody"); !errors.Is(err, pawl.ErrNoAccount) || m != nil {
		t.Errorf("an account that is not there gives %v", err)
	}
}

// TestNamesAreBlind: nothing in the store's keys or values shows who talks to
// whom.
func TestNamesAreBlind(t *testing.T) {
	alice, bob := pair(t)
	alice.meet(bob)
	for key, value := range dump(t, alice.kv) {
		for _, name := range []string{"alice", "example", "DEVICE", bob.id.Curve25519.String(), "hello"} {
			if strings.Contains(key, name) || strings.Contains(value, name) {
				t.Errorf("entry %q shows %q", key, name)
			}
		}
	}
}
