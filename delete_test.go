package pawl_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// deleting is a store with two accounts: a phone that has records of every kind, and a
// tablet. A commit takes little.
type deleting struct {
	t      *testing.T
	engine kv.Store
	store  *pawl.Store
	phone  *device
	tablet *device
	own    []string // keys of the tablet's records, and of those that all accounts share
}

func newDeleting(t *testing.T, w *clientWard) *deleting {
	d := &deleting{t: t, engine: memkv.New(memkv.WithLimits(kv.Floor()))}
	for some := range slices.Chunk(w.whole.entries, 20) {
		var writes []kv.Write
		for _, e := range some {
			writes = append(writes, kv.Write{Key: e.Key, Value: e.Value})
		}
		commit(t, d.engine, writes...)
	}
	d.phone = w.phone.on(d.engine)
	d.store = d.phone.store
	tablet := *d.phone
	d.tablet = &tablet
	var err error
	if d.tablet.Machine, err = d.store.Create(t.Context(), "@alice:example.org", "SECOND"); err != nil {
		t.Fatal(err)
	}
	if d.tablet.id, err = d.tablet.Machine.Identity(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.tablet.upload(5)
	phones := scopesOf(w.whole.entries)
	for key := range dump(t, d.engine) {
		if !phones[strings.SplitN(key, "/", 2)[0]] && !strings.HasPrefix(key, "_/account/") {
			d.own = append(d.own, key)
		}
	}
	slices.Sort(d.own)
	return d
}

// scopesOf returns the first segments of keys, but for what all accounts share.
func scopesOf(entries []kv.Entry) map[string]bool {
	scopes := map[string]bool{}
	for _, e := range entries {
		if first := strings.SplitN(e.Key, "/", 2)[0]; first != "_" {
			scopes[first] = true
		}
	}
	return scopes
}

func (d *deleting) delete(s *pawl.Store) error {
	return s.Delete(d.t.Context(), d.phone.id.UserID, d.phone.id.DeviceID)
}

// isGone fails the test unless nothing is left of the phone, and all of the tablet.
func (d *deleting) isGone() {
	d.t.Helper()
	var left []string
	accounts := 0
	for key := range dump(d.t, d.engine) {
		if strings.HasPrefix(key, "_/account/") {
			accounts++
		} else {
			left = append(left, key)
		}
	}
	slices.Sort(left)
	if accounts != 1 || !slices.Equal(left, d.own) {
		d.t.Errorf("there are %d accounts, and the records %q; want 1 and %q", accounts, left, d.own)
	}
	if found, err := d.store.Check(d.t.Context()); err != nil || len(found) > 0 {
		d.t.Errorf("check: %v, %v", found, err)
	}
	d.tablet.upload(1)
}

// isUnknown fails the test unless nobody finds the phone.
func (d *deleting) isUnknown(s *pawl.Store) {
	d.t.Helper()
	ctx := d.t.Context()
	if _, err := s.Machine(ctx, d.phone.id.UserID, d.phone.id.DeviceID); !errors.Is(err, pawl.ErrNoAccount) {
		d.t.Errorf("machine: %v, want ErrNoAccount", err)
	}
	if all, err := s.Accounts(ctx); err != nil || len(all) != 1 || all[0].DeviceID != "SECOND" {
		d.t.Errorf("accounts: %v, %v", all, err)
	}
	m := d.phone.Machine
	bob := d.tablet.id.Curve25519
	_, encrypt := m.Encrypt(ctx, bob, []byte("text"))
	_, keys := m.KeysForUpload(ctx, 1)
	_, requests := m.OutgoingRequests(ctx)
	_, identity := m.Identity(ctx)
	ticket, _ := m.NextSync(ctx)
	_, sync := m.ReceiveSync(ctx, ticket, []byte(`{"next_batch":"s2"}`))
	_, event := m.EncryptRoomEvent(ctx, quietRoom, "m.room.message", []byte("{}"))
	extra := m.ChangeExtra(ctx, "space", "name", func([]byte) ([]byte, error) { return []byte("value"), nil })
	var events error
	for _, err := range m.Events(ctx, "") {
		events = err
		break
	}
	for what, err := range map[string]error{
		"encrypt": encrypt, "keys": keys, "requests": requests, "identity": identity, "receive": sync, "event": event, "extra": extra, "events": events,
	} {
		if !errors.Is(err, pawl.ErrNoAccount) {
			d.t.Errorf("%s, by who had it open: %v, want ErrNoAccount", what, err)
		}
	}
}

// TestDelete: an account that is deleted is gone with all its records, and the others stay.
// One of its name that is made afterwards is another.
func TestDelete(t *testing.T) {
	d := newDeleting(t, newClientWard(t))
	if err := d.delete(d.store); err != nil {
		t.Fatal(err)
	}
	d.isUnknown(d.store)
	d.isGone()
	if err := d.delete(d.store); !errors.Is(err, pawl.ErrNoAccount) {
		t.Errorf("again: %v, want ErrNoAccount", err)
	}
	m, err := d.store.Create(t.Context(), d.phone.id.UserID, d.phone.id.DeviceID)
	if err != nil {
		t.Fatal(err)
	}
	id, err := m.Identity(t.Context())
	if err != nil || id.Curve25519 == d.phone.id.Curve25519 {
		t.Errorf("the new one has the keys of the old one, %v", err)
	}
}

// TestDeleteIsInterrupted: after each of its commits nobody finds the account any more,
// and whoever deletes it, repairs the store or makes one of its name ends it.
func TestDeleteIsInterrupted(t *testing.T) {
	ends := map[string]func(*deleting) error{
		"delete": func(d *deleting) error { return d.delete(d.open()) },
		"repair": func(d *deleting) error {
			found, err := d.open().Repair(t.Context())
			if len(found) != 1 || !strings.Contains(found[0].Broken, "@alice:example.org DEVICE: it is being deleted") || found[0].Repair != "delete the rest" {
				t.Errorf("repair found %+v", found)
			}
			return err
		},
		"create": func(d *deleting) error {
			_, err := d.open().Create(t.Context(), d.phone.id.UserID, d.phone.id.DeviceID)
			return errors.Join(err, d.delete(d.open()))
		},
	}
	w, commits := newClientWard(t), 0
	{
		d := newDeleting(t, w)
		counting := faulty.Wrap(d.engine, faulty.Hooks{After: func(_ context.Context, c faulty.Call, err error) error {
			if c.Op == faulty.Commit && len(c.Batch.Writes) > 0 {
				commits++
			}
			return err
		}})
		if err := d.delete(openStore(t, counting, testKey)); err != nil {
			t.Fatal(err)
		}
	}
	if commits < 4 {
		t.Fatalf("it is %d commits", commits)
	}
	for name, end := range ends {
		for n := 1; n < commits; n++ {
			d := newDeleting(t, w)
			dead, made := errors.New("dead"), 0
			dying := faulty.Wrap(d.engine, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
				if c.Op == faulty.Commit && len(c.Batch.Writes) > 0 {
					if made++; made > n {
						return dead
					}
				}
				return nil
			}})
			if err := d.delete(openStore(t, dying, testKey)); !errors.Is(err, dead) {
				t.Fatalf("%d commits: %v", n, err)
			}
			d.isUnknown(d.open())
			if err := end(d); err != nil {
				t.Errorf("%s, after %d commits: %v", name, n, err)
			}
			d.isGone()
		}
	}
}

func (d *deleting) open() *pawl.Store { return openStore(d.t, d.engine, testKey) }

// TestDeleteWhileItIsUsed: whatever is done with an account while several delete it, and
// make another of its name, nothing of it is left behind.
func TestDeleteWhileItIsUsed(t *testing.T) {
	d := newDeleting(t, newClientWard(t))
	var wg sync.WaitGroup
	begun := make(chan struct{}, 4)
	for range 4 {
		phone := d.phone.on(d.engine)
		wg.Go(func() {
			for i := 0; ; i++ {
				err := phone.ChangeExtra(t.Context(), "space", string(rune('a'+i%20)), func([]byte) ([]byte, error) { return []byte("value"), nil })
				if err == nil {
					_, err = phone.KeysForUpload(t.Context(), 1)
				}
				if i == 3 {
					begun <- struct{}{}
				}
				if errors.Is(err, pawl.ErrNoAccount) {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 4 {
		<-begun
	}
	for range 3 {
		s := d.open()
		wg.Go(func() {
			if err := d.delete(s); err != nil && !errors.Is(err, pawl.ErrNoAccount) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	d.isGone()
	made, err := d.store.Create(t.Context(), d.phone.id.UserID, d.phone.id.DeviceID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := made.KeysForUpload(t.Context(), 1); err != nil {
		t.Error(err)
	}
}

// TestDeleteAndCreate: whoever is late with deleting deletes nothing of another account of
// the name that was made meanwhile.
func TestDeleteAndCreate(t *testing.T) {
	d := newDeleting(t, newClientWard(t))
	commits := 0
	var made *pawl.Machine
	late := faulty.Wrap(d.engine, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if c.Op != faulty.Commit || len(c.Batch.Writes) == 0 {
			return nil
		}
		if commits++; commits != 2 { // the first part of the records
			return nil
		}
		err := d.delete(d.open())
		if err == nil {
			made, err = d.open().Create(t.Context(), d.phone.id.UserID, d.phone.id.DeviceID)
		}
		if err == nil {
			_, err = made.KeysForUpload(t.Context(), 3)
		}
		return err
	}})
	if err := d.delete(openStore(t, late, testKey)); err != nil {
		t.Fatal(err)
	}
	seen, err := made.Inspect(t.Context())
	if err != nil || seen.Keys.Offered != 3 {
		t.Errorf("the other account has keys %+v, %v; want 3 that were offered", seen.Keys, err)
	}
	if found, err := d.open().Check(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("check: %v, %v", found, err)
	}
}

// TestDeleteAndMove: what is deleted while a store is moved is not in the copy, or the
// store is not moved; what was moved is not deleted.
func TestDeleteAndMove(t *testing.T) {
	t.Run("copied before", func(t *testing.T) {
		m := newMoving(t)
		c := m.copy()
		if err := m.store.Delete(t.Context(), "@alice:example.org", "TABLET"); err != nil {
			t.Fatal(err)
		}
		if err := m.store.Retire(t.Context(), c, elsewhere); !errors.Is(err, pawl.ErrMovedOn) {
			t.Errorf("%v, want ErrMovedOn", err)
		}
	})
	t.Run("moved before", func(t *testing.T) {
		m := newMoving(t)
		if err := m.store.Retire(t.Context(), m.copy(), elsewhere); err != nil {
			t.Fatal(err)
		}
		if err := m.store.Delete(t.Context(), "@alice:example.org", "TABLET"); !errors.Is(err, account.ErrRetired) {
			t.Errorf("%v, want ErrRetired", err)
		}
		m.completes(m.target, nil)
	})
	t.Run("interrupted before", func(t *testing.T) {
		m := newMoving(t)
		requireDeletion(t, m.phone.kv, "@alice:example.org", "TABLET")
		if err := m.store.Retire(t.Context(), m.copy(), elsewhere); err != nil {
			t.Fatal(err)
		}
		if err := m.store.Delete(t.Context(), "@alice:example.org", "TABLET"); !errors.Is(err, account.ErrRetired) {
			t.Errorf("where it was moved from: %v, want ErrRetired", err)
		}
		m.completes(m.target, nil)
		s := openStore(t, m.target, testKey)
		if err := s.Delete(t.Context(), "@alice:example.org", "TABLET"); err != nil {
			t.Error(err)
		}
		if found, err := s.Check(t.Context()); err != nil || len(found) > 0 {
			t.Errorf("check: %v, %v", found, err)
		}
	})
	t.Run("to a name that says so", func(t *testing.T) {
		m := newMoving(t)
		if err := m.store.Retire(t.Context(), m.copy(), account.Retirement{Target: "deleted"}); !errors.Is(err, kv.ErrInvalid) {
			t.Errorf("%v, want ErrInvalid", err)
		}
	})
}

// requireDeletion begins to delete an account and dies.
func requireDeletion(t *testing.T, engine kv.Store, user matrix.UserID, device matrix.DeviceID) {
	t.Helper()
	dead, made := errors.New("dead"), 0
	dying := faulty.Wrap(engine, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if c.Op == faulty.Commit && len(c.Batch.Writes) > 0 {
			if made++; made > 1 {
				return dead
			}
		}
		return nil
	}})
	if err := openStore(t, dying, testKey).Delete(t.Context(), user, device); !errors.Is(err, dead) {
		t.Fatal(err)
	}
}

// TestDeleteIsUndoneByABackup: a store that is put back to before an account was deleted
// has the account, which needs recovery like all that went back.
func TestDeleteIsUndoneByABackup(t *testing.T) {
	d, w := witnessed(t)
	before := back(t, d.kv)
	if err := d.store.Delete(t.Context(), d.id.UserID, d.id.DeviceID); err != nil {
		t.Fatal(err)
	}
	if found, err := d.open(pawl.WithWitness(w)).Check(t.Context()); err != nil || len(found) > 0 {
		t.Errorf("check: %v, %v", found, err)
	}
	old := d.on(before.restore(t), pawl.WithWitness(w))
	old.refusesToSend(newDevice(t, newMemory(), "@bob:example.org"), account.Behind)
}
