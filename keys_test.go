package pawl_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

const week = 7 * 24 * time.Hour

func TestUploadsNeverRepeat(t *testing.T) {
	d := newDevice(t, newMemory(), "@alice:example.org")
	seen := map[string]bool{}
	for i, n := range []int{5, 0, 1, 50} {
		u, keys, fallback := d.upload(n)
		if len(keys) != n || len(u.OneTimeKeys) != n || len(fallback) != 1 {
			t.Errorf("upload %d has %d keys, names %d, has %d fallback keys; want %d, %d, 1", i, len(keys), len(u.OneTimeKeys), len(fallback), n, n)
		}
		for id, key := range keys {
			if seen[id] || seen[key.String()] {
				t.Errorf("key %s is in two uploads", id)
			}
			seen[id], seen[key.String()] = true, true
		}
		d.signed(u.Body)
	}
	d.intact()
}

// signed checks every signature in an upload body.
func (d *device) signed(body json.RawMessage) {
	d.t.Helper()
	var parts struct {
		DeviceKeys json.RawMessage            `json:"device_keys"`
		OneTime    map[string]json.RawMessage `json:"one_time_keys"`
		Fallback   map[string]json.RawMessage `json:"fallback_keys"`
	}
	if err := json.Unmarshal(body, &parts); err != nil {
		d.t.Fatal(err)
	}
	objects := append(slices.Collect(maps.Values(parts.OneTime)), slices.Collect(maps.Values(parts.Fallback))...)
	for _, object := range append(objects, parts.DeviceKeys) {
		if err := account.VerifyJSON(object, d.id.UserID, d.id.DeviceID, d.id.Ed25519); err != nil {
			d.t.Errorf("%s: %v", object, err)
		}
	}
}

func TestUploadErrors(t *testing.T) {
	d := newDevice(t, newMemory(), "@alice:example.org")
	u, _, _ := d.upload(2)
	for _, n := range []int{-1, pawl.MaxUploadKeys + 1} {
		d.unchanged(func() {
			if _, err := d.KeysForUpload(d.ctx, n); !errors.Is(err, pawl.ErrOneTimeKeyCount) {
				t.Errorf("%d keys: %v", n, err)
			}
		})
	}
	never := pawl.Upload{OneTimeKeys: []otk.ID{1000}}
	d.unchanged(func() {
		if err := d.MarkPublished(d.ctx, never); !errors.Is(err, otk.ErrUnknownID) {
			t.Errorf("publishing a key that never was: %v", err)
		}
		if err := d.Abandon(d.ctx, never); !errors.Is(err, otk.ErrUnknownID) {
			t.Errorf("abandoning a key that never was: %v", err)
		}
	})
	if err := d.MarkPublished(d.ctx, u); err != nil {
		t.Fatal(err)
	}
	d.unchanged(func() {
		if err := d.Abandon(d.ctx, u); !errors.Is(err, otk.ErrStage) {
			t.Errorf("abandoning a published key: %v", err)
		}
	})
	later, _, _ := d.upload(2)
	if err := d.Abandon(d.ctx, later); err != nil {
		t.Fatal(err)
	}
	d.unchanged(func() {
		if err := d.MarkPublished(d.ctx, later); !errors.Is(err, otk.ErrStage) {
			t.Errorf("publishing an abandoned key: %v", err)
		}
	})
}

// TestLifeOfKeys follows keys through their stages, and to use from each.
func TestLifeOfKeys(t *testing.T) {
	alice, bob := pair(t)
	published, a, _ := bob.upload(2)
	abandoned, b, _ := bob.upload(2)
	_, c, _ := bob.upload(2) // stays offered
	bob.wantKeys(pawl.KeyCounts{Offered: 6, NextID: 8, Fallback: 3})
	if err := bob.MarkPublished(bob.ctx, published); err != nil {
		t.Fatal(err)
	}
	if err := bob.Abandon(bob.ctx, abandoned); err != nil {
		t.Fatal(err)
	}
	bob.wantKeys(pawl.KeyCounts{Offered: 2, Published: 2, Abandoned: 2, NextID: 8, Fallback: 3})
	for i, keys := range []map[string]ratchet.PublicKey{a, b, c} {
		key := slices.Collect(maps.Values(keys))[0]
		bob.receive(alice, alice.send(bob, "hello", pawl.WithOneTimeKey(key)))
		bob.wantKeys(pawl.KeyCounts{
			Offered: 2 - i/2, Published: 1, Abandoned: 2 - min(i, 1), Used: i + 1, NextID: 8, Fallback: 3,
		})
	}
	// The next upload forgets the used ones, and what is told of them later is
	// no error.
	bob.upload(0)
	if err := bob.MarkPublished(bob.ctx, published); err != nil {
		t.Error(err)
	}
	bob.wantKeys(pawl.KeyCounts{Offered: 1, Published: 1, Abandoned: 1, Used: 3, NextID: 8, Fallback: 3})
	bob.intact()
}

func (d *device) wantKeys(want pawl.KeyCounts) {
	d.t.Helper()
	if got := d.inspect().Keys; got != want {
		d.t.Errorf("keys are %+v, want %+v", got, want)
	}
}

func TestFallbackRotation(t *testing.T) {
	alice, bob := pair(t)
	first, _, keys := bob.upload(0)
	old := slices.Collect(maps.Values(keys))[0]
	bob.clock.pass(2 * week)
	if u, _, _ := bob.upload(0); u.Fallback != first.Fallback {
		t.Errorf("a fallback key that was never published was replaced by %v", u.Fallback)
	}
	if err := bob.MarkPublished(bob.ctx, first); err != nil {
		t.Fatal(err)
	}
	second, _, _ := bob.upload(0)
	if second.Fallback == first.Fallback || bob.inspect().Keys.PreviousFallback != first.Fallback {
		t.Errorf("after two weeks the fallback key is %v, the previous %v", second.Fallback, bob.inspect().Keys.PreviousFallback)
	}
	// The previous key still opens sessions, again and again.
	for range 2 {
		bob.receive(alice, alice.send(bob, "hello", pawl.WithOneTimeKey(old)))
	}
	if err := bob.MarkPublished(bob.ctx, second); err != nil {
		t.Fatal(err)
	}
	bob.clock.pass(week - time.Minute)
	if u, _, _ := bob.upload(0); u.Fallback != second.Fallback {
		t.Error("the fallback key was replaced before a week had passed")
	}
	bob.clock.pass(time.Minute)
	if u, _, _ := bob.upload(0); u.Fallback == second.Fallback {
		t.Error("the fallback key was not replaced after a week")
	}
	if done, err := bob.Sweep(bob.ctx, bob.clock.now()); err != nil || done.FallbackKeys != 1 {
		t.Errorf("a week after a newer one was published a sweep drops %+v, %v", done, err)
	}
	m := alice.send(bob, "too late", pawl.WithOneTimeKey(old))
	if _, err := bob.Decrypt(bob.ctx, alice.id.Curve25519, m); !errors.Is(err, pawl.ErrUnknownOneTimeKey) {
		t.Errorf("a fallback key that was dropped gives %v", err)
	}
	bob.intact()
}

// TestKeyLimit: at otk.MaxKeys keys those with the lowest ids go, whatever became
// of their uploads.
func TestKeyLimit(t *testing.T) {
	d := newDevice(t, newMemory(), "@alice:example.org")
	var uploads []pawl.Upload
	for range otk.MaxKeys / pawl.MaxUploadKeys {
		u, err := d.KeysForUpload(d.ctx, pawl.MaxUploadKeys)
		if err != nil {
			t.Fatal(err)
		}
		uploads = append(uploads, u)
	}
	if u, err := d.KeysForUpload(d.ctx, 1); err != nil || !slices.Equal(u.Evicted, uploads[0].OneTimeKeys[:1]) {
		t.Errorf("one key more than %d in flight: evicted %v, error %v; want the oldest", otk.MaxKeys, u.Evicted, err)
	}
	if u, err := d.Outstanding(d.ctx); err != nil || len(u.OneTimeKeys) != otk.MaxKeys {
		t.Errorf("%d keys are outstanding, error %v; want %d", len(u.OneTimeKeys), err, otk.MaxKeys)
	}
	if err := d.MarkPublished(d.ctx, uploads[0]); err != nil {
		t.Fatal(err)
	}
	if err := d.Abandon(d.ctx, uploads[1]); err != nil {
		t.Fatal(err)
	}
	u, err := d.KeysForUpload(d.ctx, pawl.MaxUploadKeys)
	if err != nil || !slices.Equal(u.Evicted, slices.Concat(uploads[0].OneTimeKeys[1:], uploads[1].OneTimeKeys[:1])) {
		t.Errorf("evicted are %d keys, the first %v, error %v; want the oldest", len(u.Evicted), u.Evicted[:1], err)
	}
	if u, err = d.KeysForUpload(d.ctx, 2); err != nil || !slices.Equal(u.Evicted, uploads[1].OneTimeKeys[1:3]) {
		t.Errorf("evicted are %v, error %v; want the two oldest", u.Evicted, err)
	}
	d.intact()
}

// TestSweepingUsedKeys: a key that was used and swept before the next upload
// is not missed by it.
func TestSweepingUsedKeys(t *testing.T) {
	alice, bob := pair(t)
	_, offered, _ := bob.upload(session.MaxPerPeer + 1)
	left := slices.Collect(maps.Values(offered))
	alice.fill(bob, len(left), func() ratchet.PublicKey {
		key := left[0]
		left = left[1:]
		return key
	})
	bob.sweeps(session.ReceiptLife+time.Minute, pawl.Swept{Erased: len(offered), Sessions: 1, OneTimeKeys: 1})
	bob.upload(1)
	bob.wantKeys(pawl.KeyCounts{Offered: 1, Used: session.MaxPerPeer, NextID: session.MaxPerPeer + 4, Fallback: session.MaxPerPeer + 2})
	bob.intact()
}
