package pawl_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/copykv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/sqlitekv"
)

var elsewhere = account.Retirement{Target: "id", Path: "/new"}

// TestCopyToAStore: neither another store nor the store itself is copied over.
func TestCopyToAStore(t *testing.T) {
	m := newMoving(t)
	other := newDevice(t, newMemory(), "@bob:example.org")
	for name, target := range map[string]kv.Store{
		"another store": other.kv, "itself": m.phone.kv, "itself, wrapped": faulty.Wrap(m.phone.kv, faulty.Hooks{}),
	} {
		before := len(dump(t, target))
		if _, err := m.store.CopyTo(t.Context(), target, nil); !errors.Is(err, pawl.ErrNotEmpty) {
			t.Errorf("%s: %v, want %v", name, err, pawl.ErrNotEmpty)
		}
		if after := len(dump(t, target)); after != before {
			t.Errorf("%s: %d entries, %d before", name, after, before)
		}
	}
	m.phone.intact()
	other.intact()
}

// completes completes a copy and looks whether it opens then.
func (m *moving) completes(target kv.Store, want error) {
	m.t.Helper()
	if err := m.store.CompleteCopy(m.t.Context(), target, nil); !errors.Is(err, want) {
		m.t.Errorf("%v, want %v", err, want)
	}
	if _, err := pawl.Open(m.t.Context(), target, testKey); (err == nil) != (want == nil) {
		m.t.Errorf("open: %v", err)
	}
}

// TestCompleteOnlyWhatWasRetiredFor: no copy becomes a store while the source is
// in use, nor one that lacks what the source did since.
func TestCompleteOnlyWhatWasRetiredFor(t *testing.T) {
	for name, change := range map[string]func(m *moving) error{
		"before an upload": func(m *moving) error { _, err := m.tablet.KeysForUpload(t.Context(), 1); return err },
		"before an account": func(m *moving) error {
			_, err := m.store.Create(t.Context(), "@alice:example.org", "WATCH")
			return err
		},
		"before a recovery was required": func(m *moving) error { return requireRecovery(m.phone) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMoving(t)
			m.copy()
			early := m.target
			m.completes(early, pawl.ErrNotRetired)
			if err := change(m); err != nil {
				t.Fatal(err)
			}
			m.target = newMemory()
			if err := m.store.Retire(t.Context(), m.copy(), elsewhere); err != nil {
				t.Fatal(err)
			}
			m.completes(early, copykv.ErrDiffers)
			for range 2 { // as after an interruption
				m.completes(m.target, nil)
			}
		})
	}
}

// requireRecovery marks a device and recovers nothing: its store dies meanwhile.
func requireRecovery(d *device) error {
	dead := errors.New("dead")
	commits := 0
	dying := faulty.Wrap(d.kv, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if c.Op == faulty.Commit && len(c.Batch.Writes) > 0 {
			if commits++; commits > 1 {
				return dead
			}
		}
		return nil
	}})
	if _, err := d.on(dying).Recover(d.ctx); !errors.Is(err, dead) {
		return err
	}
	return nil
}

// TestNoAccountInAMovedStore: whoever moves a store leaves nothing to go on in it.
func TestNoAccountInAMovedStore(t *testing.T) {
	m := newMoving(t)
	create := func() error {
		_, err := m.store.OpenOrCreate(t.Context(), "@alice:example.org", "WATCH")
		return err
	}
	retire := func() {
		if err := m.store.Retire(t.Context(), m.copy(), elsewhere); err != nil {
			t.Error(err)
		}
	}
	// The store is moved while the account is made, too.
	meanwhile := func(f func()) error {
		done := false
		view := faulty.Wrap(m.phone.kv, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
			if c.Op == faulty.Commit && len(c.Batch.Writes) > 0 && !done {
				done = true
				f()
			}
			return nil
		}})
		_, err := openStore(t, view, testKey).Create(t.Context(), "@alice:example.org", "WATCH")
		return err
	}
	if err := meanwhile(retire); !errors.Is(err, account.ErrRetired) {
		t.Errorf("while it is moved: %v, want %v", err, account.ErrRetired)
	}
	if err := create(); !errors.Is(err, account.ErrRetired) {
		t.Errorf("afterwards: %v, want %v", err, account.ErrRetired)
	}
	if _, err := m.store.OpenOrCreate(t.Context(), m.phone.id.UserID, m.phone.id.DeviceID); err != nil {
		t.Errorf("one that moved: %v", err)
	}
}

// TestMoveToAnEngineWithAWitness: the new store has the witness that its engine
// keeps, and needs no recovery.
func TestMoveToAnEngineWithAWitness(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	m := newMoving(t)
	open := func() *sqlitekv.Store {
		target, err := sqlitekv.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		return target
	}
	target := open()
	m.target = target
	if err := m.store.Retire(t.Context(), m.copy(), elsewhere); err != nil {
		t.Fatal(err)
	}
	if err := m.store.CompleteCopy(t.Context(), target, nil); err != nil {
		t.Fatal(err)
	}
	if err := target.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path + ".witness"); err != nil {
		t.Error(err)
	}
	target = open()
	defer target.Close()
	tablet, err := openStore(t, target, testKey).Machine(t.Context(), "@alice:example.org", "TABLET")
	if err != nil {
		t.Fatal(err)
	}
	if why, needed, err := tablet.NeedsRecovery(t.Context()); needed || err != nil {
		t.Errorf("needs recovery because %v; %v", why.Cause, err)
	}
	if _, err := tablet.KeysForUpload(t.Context(), 1); err != nil {
		t.Error(err)
	}
}
