package pawl_test

import (
	"encoding/json"
	"testing"

	"github.com/pawlkv/pawl"
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
