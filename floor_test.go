package pawl_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// crowd is how many peers, accounts and keys the tests of this file have: more
// than one commit takes at the floor.
const crowd = kv.FloorWrites + 10

// smallest returns a device on an engine with the limits of kv.Floor.
func smallest(t *testing.T, opts ...pawl.Option) *device {
	t.Helper()
	return newDevice(t, memkv.New(memkv.WithLimits(kv.Floor())), "@bob:example.org", opts...)
}

// TestLargeCallsAtTheFloor: every call that may touch any number of records
// takes as many commits as the smallest engine needs.
func TestLargeCallsAtTheFloor(t *testing.T) {
	bob := smallest(t)
	// A crowd meets Bob in one batch.
	senders := newCrowd(t)
	batch := make([]pawl.Incoming, len(senders))
	key := bob.fallbackKey()
	for i, m := range senders {
		id, err := m.Identity(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		e, err := m.Encrypt(t.Context(), bob.id.Curve25519, []byte(id.DeviceID), pawl.WithOneTimeKey(key))
		if err != nil {
			t.Fatal(err)
		}
		batch[i] = pawl.Incoming{Sender: id.Curve25519, Message: e.Message}
	}
	results, err := bob.DecryptBatch(t.Context(), batch)
	if err != nil || len(results) != crowd {
		t.Fatalf("%d results, error %v", len(results), err)
	}
	var receipts []session.ReceiptID
	for i, r := range results {
		if r.Err != nil || string(r.Plaintext) != fmt.Sprint("D", i) {
			t.Fatalf("message %d: error %v", i, r.Err)
		}
		receipts = append(receipts, r.Receipt)
	}
	bob.intact()
	if err := bob.Acknowledge(t.Context(), receipts[:crowd-5]...); err != nil {
		t.Fatal(err)
	}
	if got, want := bob.inspect().Receipts, (pawl.ReceiptCounts{Open: 5, Acknowledged: crowd - 5}); got != want {
		t.Errorf("receipts are %+v, want %+v", got, want)
	}
	if done := bob.recover(); done.Sessions != crowd {
		t.Errorf("recovered %+v, want %d sessions", done, crowd)
	}
	bob.sweeps(session.ReceiptLife+time.Minute, pawl.Swept{Erased: 5})
	bob.sweeps(session.ReceiptMemory+time.Minute, pawl.Swept{Receipts: crowd, Strangers: crowd})
}

// newCrowd returns accounts in one store.
func newCrowd(t *testing.T) (all []*pawl.Machine) {
	t.Helper()
	s := openStore(t, newMemory(), testKey)
	for i := range crowd {
		m, err := s.Create(t.Context(), "@crowd:example.org", matrix.DeviceID(fmt.Sprint("D", i)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// TestManyAccountsAtTheFloor: a store that went back in time has all of its
// accounts recovered.
func TestManyAccountsAtTheFloor(t *testing.T) {
	w := &keychain{}
	bob := smallest(t, pawl.WithWitness(w))
	for i := range crowd {
		if _, err := bob.store.Create(t.Context(), "@bob:example.org", matrix.DeviceID(fmt.Sprint("D", i))); err != nil {
			t.Fatal(err)
		}
	}
	w.mark.Head++
	bob = bob.on(bob.kv, pawl.WithWitness(w))
	for _, device := range []matrix.DeviceID{"DEVICE", "D0", matrix.DeviceID(fmt.Sprint("D", crowd-1))} {
		m, err := bob.store.Machine(t.Context(), "@bob:example.org", device)
		if err != nil {
			t.Fatal(err)
		}
		if why, needed, err := m.NeedsRecovery(t.Context()); !needed || why.Cause != account.Behind || err != nil {
			t.Errorf("%s: needs recovery %t, %v, %v", device, needed, why.Cause, err)
		}
	}
}

// TestUploadInParts: an upload with more keys than one commit takes; one that is
// interrupted leaves what it has offered to Outstanding.
func TestUploadInParts(t *testing.T) {
	bob := smallest(t)
	view, written := commits(bob.kv)
	u, err := bob.on(view).KeysForUpload(t.Context(), crowd)
	if err != nil || len(u.OneTimeKeys) != crowd || written.Load() != 3 {
		t.Fatalf("%d keys in %d commits, error %v; want %d in 3", len(u.OneTimeKeys), written.Load(), err, crowd)
	}
	bob.signed(u.Body)
	bob.wantKeys(pawl.KeyCounts{Offered: crowd, NextID: crowd + 2, Fallback: 49})
	if err := bob.MarkPublished(t.Context(), u); err != nil {
		t.Fatal(err)
	}

	full := bob.on(faulty.Commits(bob.kv, faulty.None, faulty.DiskFull))
	if u, err := full.KeysForUpload(t.Context(), crowd); !errors.Is(err, kv.ErrDiskFull) || u.Body != nil || u.OneTimeKeys != nil {
		t.Errorf("an upload that was interrupted: %+v, %v", u, err)
	}
	left, err := bob.Outstanding(t.Context())
	if err != nil || len(left.OneTimeKeys) != 48 {
		t.Errorf("%d keys are outstanding, error %v; want those of one commit", len(left.OneTimeKeys), err)
	}
	if err := bob.Abandon(t.Context(), left); err != nil {
		t.Fatal(err)
	}
	bob.intact()
}

// TestUploadUnderFirstMessages: what an upload commits does not rest on the keys
// that are used meanwhile.
func TestUploadUnderFirstMessages(t *testing.T) {
	alice, bob := pair(t)
	_, keys, _ := bob.upload(50)
	left := slices.Collect(maps.Values(keys))
	app := bob.on(faulty.Wrap(bob.kv, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if call.Op == faulty.Commit && len(left) > 0 { // each time the upload is about to commit
			bob.receive(alice, alice.send(bob, "first", pawl.WithOneTimeKey(left[0])))
			left = left[1:]
		}
		return nil
	}}))
	app.upload(10)
	if used := 50 - len(left); used != 1 {
		t.Errorf("%d keys were used before the upload was committed, want 1", used)
	}
	bob.intact()
}

// TestFullPool: before a key is dropped for a new one the pool forgets those that
// were used, and one that is used at the last moment leaves its tombstone.
func TestFullPool(t *testing.T) {
	alice, bob := pair(t)
	_, first, _ := bob.upload(1)
	_, second, _ := bob.upload(1)
	for range otk.MaxKeys/pawl.MaxUploadKeys - 1 {
		bob.upload(pawl.MaxUploadKeys)
	}
	bob.upload(pawl.MaxUploadKeys - 2)
	use := func(keys map[string]ratchet.PublicKey) {
		t.Helper()
		for _, key := range keys {
			bob.receive(alice, alice.send(bob, "first", pawl.WithOneTimeKey(key)))
		}
	}
	use(second)
	if u, _, _ := bob.upload(1); u.Evicted != nil {
		t.Errorf("evicted %v, though a key was used", u.Evicted)
	}
	bob.wantKeys(pawl.KeyCounts{Offered: otk.MaxKeys, Used: 1, NextID: otk.MaxKeys + 3, Fallback: 2})

	used := false
	app := bob.on(faulty.Wrap(bob.kv, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if call.Op == faulty.Commit && len(call.Batch.Writes) > 0 && !used {
			used = true
			use(first)
		}
		return nil
	}}))
	if u, _, _ := app.upload(1); u.Evicted != nil || !used {
		t.Errorf("evicted %v, though it was used at the last moment (%t)", u.Evicted, used)
	}
	bob.wantKeys(pawl.KeyCounts{Offered: otk.MaxKeys, Used: 2, NextID: otk.MaxKeys + 4, Fallback: 2})
	bob.intact()
}

// TestMoveAtTheFloor: a copy is made in parts; that its source is retired cannot
// be, and is refused as a whole where the engine checks less than all of it.
func TestMoveAtTheFloor(t *testing.T) {
	bob := smallest(t)
	bob.upload(crowd)
	target := memkv.New(memkv.WithLimits(kv.Floor()))
	c, err := bob.store.CopyTo(t.Context(), target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(dump(t, target)), len(dump(t, bob.kv))-1; got != want {
		t.Errorf("the copy has %d entries, want all %d but the keyring", got, want)
	}
	bob.unchanged(func() {
		if err := bob.store.Retire(t.Context(), c, account.Retirement{Path: "/new"}); !errors.Is(err, kv.ErrTooLarge) {
			t.Errorf("retiring more than one commit checks: %v, want ErrTooLarge", err)
		}
	})
	bob.upload(1)
}
