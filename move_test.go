package pawl_test

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/witness"
)

// moving is a store with two accounts, and another engine for it.
type moving struct {
	t      *testing.T
	store  *pawl.Store
	phone  *device
	tablet *pawl.Machine
	target kv.Store
}

func newMoving(t *testing.T, opts ...pawl.Option) *moving {
	m := &moving{t: t, phone: newDevice(t, newMemory(), "@alice:example.org", opts...), target: newMemory()}
	m.store = m.phone.store
	var err error
	if m.tablet, err = m.store.Create(t.Context(), "@alice:example.org", "TABLET"); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *moving) copy() pawl.Copy {
	m.t.Helper()
	c, err := m.store.CopyTo(m.t.Context(), m.target, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	return c
}

func (m *moving) open(opts ...pawl.Option) (*pawl.Store, error) {
	return pawl.Open(m.t.Context(), m.target, append(opts, testKey)...)
}

// TestMove: the copy does not open before the source is retired, and then has
// everything, while the source only inspects.
func TestMove(t *testing.T) {
	m := newMoving(t)
	bob := newDevice(t, newMemory(), "@bob:example.org")
	bob.meet(m.phone)
	letter := bob.send(m.phone, "for the new store")
	before := m.phone.inspect()

	c := m.copy()
	if _, err := m.open(); !errors.Is(err, kv.ErrCorrupt) {
		t.Fatalf("the copy, before the source is retired: %v, want ErrCorrupt", err)
	}
	if err := m.store.Retire(t.Context(), c, account.Retirement{Target: "id", Path: "/new"}); err != nil {
		t.Fatal(err)
	}
	if _, err := m.open(); !errors.Is(err, kv.ErrCorrupt) {
		t.Fatalf("the copy, before it is complete: %v, want ErrCorrupt", err)
	}
	for range 2 { // as after an interruption
		if err := m.store.CompleteCopy(t.Context(), m.target, nil); err != nil {
			t.Fatal(err)
		}
	}
	for _, old := range []*pawl.Machine{m.phone.Machine, m.tablet} {
		if _, err := old.KeysForUpload(t.Context(), 1); !errors.Is(err, account.ErrRetired) {
			t.Errorf("the source: %v, want ErrRetired", err)
		}
	}
	if seen := m.phone.inspect(); seen.Retired != "/new" {
		t.Errorf("the source is retired to %q", seen.Retired)
	}
	store, err := m.open()
	if err != nil {
		t.Fatal(err)
	}
	phone := &device{t: t, ctx: t.Context(), kv: m.target, store: store, id: m.phone.id}
	if phone.Machine, err = store.Machine(t.Context(), m.phone.id.UserID, m.phone.id.DeviceID); err != nil {
		t.Fatal(err)
	}
	after := phone.inspect()
	if after.Retired != "" || after.Keys != before.Keys || len(after.Peers) != len(before.Peers) {
		t.Errorf("the copy shows %+v, the source showed %+v", after, before)
	}
	if got := phone.receive(bob, letter); string(got.Plaintext) != "for the new store" || got.Duplicate {
		t.Errorf("it reads %q", got.Plaintext)
	}
	bob.receive(phone, phone.send(bob, "from there"))
	phone.intact()
}

// TestRetireNeedsTheCopiedState: whatever was written since the copy was made
// keeps the source from being retired, and another copy has it.
func TestRetireNeedsTheCopiedState(t *testing.T) {
	for name, change := range map[string]func(m *moving) error{
		"keys": func(m *moving) error { _, err := m.tablet.KeysForUpload(t.Context(), 1); return err },
		"account": func(m *moving) error {
			_, err := m.store.Create(t.Context(), "@alice:example.org", "WATCH")
			return err
		},
		"passphrase": func(m *moving) error { return m.store.ChangeKey(t.Context(), [32]byte{7}) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMoving(t)
			c := m.copy()
			if err := change(m); err != nil {
				t.Fatal(err)
			}
			if name == "passphrase" {
				m.store = openStore(t, m.phone.kv, pawl.WithKey([32]byte{7}))
			}
			if err := m.store.Retire(t.Context(), c, account.Retirement{Target: "id", Path: "/new"}); !errors.Is(err, pawl.ErrMovedOn) {
				t.Fatalf("%v, want ErrMovedOn", err)
			}
			if moved, _, err := m.store.Retirements(t.Context()); err != nil || len(moved) > 0 {
				t.Fatalf("retired %v, %v", moved, err)
			}
			if err := m.store.Retire(t.Context(), m.copy(), account.Retirement{Target: "id", Path: "/new"}); err != nil {
				t.Fatal(err)
			}
			moved, active, err := m.store.Retirements(t.Context())
			if err != nil || active != 0 || len(moved) < 2 || moved[0].Target != "id" || moved[0].Path != "/new" {
				t.Fatalf("retired %v, %d not, %v", moved, active, err)
			}
			if now := m.phone.clock.now(); name != "passphrase" && !moved[0].At.Equal(now) {
				t.Errorf("retired at %v, want %v", moved[0].At, now)
			}
			if err := m.store.Retire(t.Context(), m.copy(), account.Retirement{Target: "other", Path: "/other"}); !errors.Is(err, pawl.ErrNothingToMove) {
				t.Fatalf("again: %v, want ErrNothingToMove", err)
			}
		})
	}
}

// TestMoveWithWitness: the new store's witness has its mark, in a generation of its
// own, and nothing must be recovered; without that file it must.
func TestMoveWithWitness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "source")
	m := newMoving(t, pawl.WithWitness(witness.NewFile(path)))
	for range 20 { // the new store's versions are lower
		if _, err := m.tablet.KeysForUpload(t.Context(), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.store.Retire(t.Context(), m.copy(), account.Retirement{Target: "id", Path: "/new"}); err != nil {
		t.Fatal(err)
	}
	next := filepath.Join(t.TempDir(), "target")
	w := witness.NewFile(next)
	if err := m.store.CompleteCopy(t.Context(), m.target, w); err != nil {
		t.Fatal(err)
	}
	needed := func(w witness.Witness) bool {
		t.Helper()
		store, err := m.open(pawl.WithWitness(w))
		if err != nil {
			t.Fatal(err)
		}
		tablet, err := store.Machine(t.Context(), "@alice:example.org", "TABLET")
		if err != nil {
			t.Fatal(err)
		}
		_, needed, err := tablet.NeedsRecovery(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return needed
	}
	before, err := witness.NewFile(path).Load(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mark, err := w.Load(t.Context())
	if err != nil || !mark.Supersedes(before) || mark.Store != before.Store || mark.Head >= before.Head {
		t.Fatalf("mark %v after %v, %v", mark, before, err)
	}
	if needed(witness.NewFile(next)) {
		t.Error("the moved store must be recovered")
	}
	if !needed(witness.NewFile(filepath.Join(t.TempDir(), "none"))) {
		t.Error("without its witness it is taken as it is")
	}
}

// TestMoveKeepsTheOrder: in a store whose versions begin anew the newest session
// is still the one that is used next, also after a second move.
func TestMoveKeepsTheOrder(t *testing.T) {
	alice := newDevice(t, newMemory(), "@alice:example.org")
	bob := newDevice(t, newMemory(), "@bob:example.org")
	alice.meet(bob)
	for range 50 { // so that the next store is behind this one
		bob.receive(alice, alice.send(bob, "text"))
	}
	for range 2 {
		bob = bob.moved()
		newest := alice.send(bob, "a new session", pawl.WithOneTimeKey(bob.oneTimeKey()))
		bob.wantNext(alice, bob.receive(alice, newest).Session)
		again := bob.encrypt(alice, pawl.WithOneTimeKey(alice.oneTimeKey()))
		alice.receive(bob, again.Message)
		bob.wantNext(alice, again.Session)
		bob.intact()
	}
}

// moved moves the device's store to a new one.
func (d *device) moved() *device {
	d.t.Helper()
	target := newMemory()
	c, err := d.store.CopyTo(d.ctx, target, nil)
	if err == nil {
		err = d.store.Retire(d.ctx, c, account.Retirement{Target: "id", Path: "/new"})
	}
	if err == nil {
		err = d.store.CompleteCopy(d.ctx, target, nil)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return d.on(target)
}
