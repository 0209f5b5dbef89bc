package pawl_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
)

// TestInventedDeviceAsksForKey: where a server invents cross-signing keys for the own
// user and a device that they sign, the device that asks for a key gets m.unverified,
// and no key; nobody is asked for one either.
func TestInventedDeviceAsksForKey(t *testing.T) {
	alice := newDevice(t, newMemory(), "@alice:example.org")
	user := alice.id.UserID
	own := newCrossSigner(t, user)
	raw, err := json.Marshal(object{
		"device_keys": object{string(user): object{
			"DEVICE": own.sign(alice.deviceKeys(), own.self), "EVIL": own.sign(inventedDevice(t, user, "EVIL"), own.self),
		}},
		"master_keys":       object{string(user): own.key("master", own.master)},
		"self_signing_keys": object{string(user): own.sign(own.key("self_signing", own.self), own.master)},
		"user_signing_keys": object{string(user): own.sign(own.key("user_signing", own.userSigning), own.master)},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := alice.TrackUsers(t.Context(), user); err != nil {
		t.Fatal(err)
	}
	session := newRoomSender(t)
	if _, err := alice.ImportRoomKeys(t.Context(), []pawl.RoomKey{session.exported()}); err != nil {
		t.Fatal(err)
	}
	// send sends all that is to be sent, and counts notices that it is not verified.
	send := func() (notices int) {
		t.Helper()
		for {
			all, err := alice.OutgoingRequests(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if len(all) == 0 {
				return notices
			}
			for _, r := range all {
				answer := []byte(`{}`)
				switch {
				case r.Kind == pawl.KeysUpload:
					answer = []byte(`{"one_time_key_counts":{"signed_curve25519":50}}`)
				case r.Kind == pawl.KeysQuery:
					answer = raw
				case r.Kind == pawl.SendToDevice && r.EventType == "m.room_key.withheld":
					notices += strings.Count(string(r.Body), string(group.Unverified))
				default:
					t.Fatalf("sends %s %s %s", r.Kind, r.EventType, r.Body)
				}
				if err := alice.MarkSent(t.Context(), r.ID, answer); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	send()
	request := object{"type": "m.room_key_request", "sender": string(user), "content": object{
		"action": "request", "requesting_device_id": "EVIL", "request_id": "1",
		"body": object{"algorithm": account.Megolm, "room_id": string(testRoom), "session_id": session.Key().ID().String()},
	}}
	if _, err := alice.ReceiveSync(t.Context(), alice.nextSync(), syncOf(t, "T1", nil, request)); err != nil {
		t.Fatal(err)
	}
	if n := send(); n != 1 {
		t.Errorf("the device was told %d times that it is not verified", n)
	}
	if err := alice.RequestRoomKey(t.Context(), testRoom, session.Key().ID()); pawl.CodeOf(err) != "nobody_to_ask" {
		t.Errorf("asking for a key: %v", err)
	}
	alice.intact()
}
