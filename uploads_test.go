package pawl_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/ratchet"
)

// TestUploadsFollowSyncs: a count that is the server's moves the top-up, also by
// another handle; one of a request that began before the last upload ended does not.
func TestUploadsFollowSyncs(t *testing.T) {
	phone := newDevice(t, newMemory(), "@alice:example.org")
	tablet := phone.on(phone.kv)
	uploaded := func(d *device) (oneTimeKeys int) {
		t.Helper()
		for range 10 {
			all, err := d.OutgoingRequests(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range all {
				answer := `{"device_keys": {"@alice:example.org": {}}}`
				if r.Kind == pawl.KeysUpload {
					var body struct {
						Keys map[string]json.RawMessage `json:"one_time_keys"`
					}
					if err := json.Unmarshal(r.Body, &body); err != nil {
						t.Fatal(err)
					}
					oneTimeKeys += len(body.Keys)
					answer = `{"one_time_key_counts": {"signed_curve25519": 50}}`
				}
				if err := d.MarkSent(t.Context(), r.ID, []byte(answer)); err != nil {
					t.Fatal(err)
				}
			}
		}
		return oneTimeKeys
	}
	receives := func(d *device, ticket pawl.SyncTicket, next string, count int) {
		t.Helper()
		more := object{"device_one_time_keys_count": object{"signed_curve25519": count}}
		if _, err := d.ReceiveSync(t.Context(), ticket, syncOf(t, next, more)); err != nil {
			t.Fatal(err)
		}
	}
	early := phone.nextSync()
	if n := uploaded(phone); n != 50 {
		t.Fatalf("%d one-time keys first, want 50", n)
	}
	receives(phone, early, "T1", 0)
	if n := uploaded(tablet); n != 0 {
		t.Errorf("%d one-time keys for a count of before the upload, want none", n)
	}
	early = tablet.nextSync()
	receives(phone, phone.nextSync(), "T2", 20)
	if n := uploaded(tablet); n != 30 {
		t.Errorf("%d one-time keys where 20 are left of 50, want 30", n)
	}
	receives(tablet, early, "T3", 20)
	if n := uploaded(phone); n != 0 {
		t.Errorf("%d one-time keys for a count that came late, want none", n)
	}
	phone.intact()
}

// TestOpenedFallbackIsNotUploadedAgain: nobody heard of an upload, and a session is
// opened with the fallback key that was in it. So it arrived, and the key was used: the
// next body has none, and after a day there is another.
func TestOpenedFallbackIsNotUploadedAgain(t *testing.T) {
	alice, bob := pair(t)
	_, lost := bob.lostUpload()
	if len(lost) != 1 {
		t.Fatalf("%d fallback keys in the first body", len(lost))
	}
	for _, key := range lost {
		bob.receive(alice, alice.send(bob, "hello", pawl.WithOneTimeKey(key)))
	}
	if keys, again := bob.lostUpload(); len(again) != 0 || len(keys) == 0 {
		t.Errorf("the next body has %d one-time keys and %d fallback keys, want some and none", len(keys), len(again))
	}
	if manual, _, fallback := bob.upload(1); len(fallback) != 0 {
		t.Errorf("a body of KeysForUpload has the key again: %s", manual.Body)
	}
	bob.clock.pass(25 * time.Hour)
	_, other := bob.lostUpload()
	for id, key := range other {
		if lost[id] == key {
			t.Errorf("%s comes again after a day", id)
		}
	}
	if len(other) != 1 {
		t.Errorf("%d fallback keys after a day, want another", len(other))
	}
	bob.intact()
}

// lostUpload lets the next upload have an outcome of which nobody heard, and returns
// its keys by their ids.
func (d *device) lostUpload() (oneTime, fallback map[string]ratchet.PublicKey) {
	d.t.Helper()
	for range 10 {
		all, err := d.OutgoingRequests(d.ctx)
		if err != nil {
			d.t.Fatal(err)
		}
		for _, r := range all {
			if r.Kind == pawl.KeysUpload {
				oneTime, fallback = d.keysIn(r.Body)
				err = d.MarkFailed(d.ctx, r.ID, pawl.Unknown())
			} else {
				err = d.MarkSent(d.ctx, r.ID, []byte(`{"device_keys": {}}`))
			}
			if err != nil {
				d.t.Fatal(err)
			}
		}
		if oneTime != nil {
			return oneTime, fallback
		}
	}
	d.t.Fatal("no upload is due")
	return nil, nil
}
