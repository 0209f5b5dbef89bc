package pawl_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// TestForwardedByDeviceThatIsGone: an own device forwards what it was asked for as long
// as it is there: one that was logged out is not trusted, and its room keys are those of
// a device that nobody knows.
func TestForwardedByDeviceThatIsGone(t *testing.T) {
	for _, gone := range []bool{false, true} {
		w := newClientWard(t)
		s := newRoomSender(t)
		w.must(w.phone.RequestRoomKey(t.Context(), testRoom, s.Key().ID()))
		w.sendAll()
		if gone {
			delete(w.devices[w.own.user], "TABLET")
			w.phone.synced(object{"device_lists": object{"changed": []matrix.UserID{w.own.user}}})
			w.sendAll()
			if u := w.phone.devicesOf(w.own.user); len(u.Devices) != 3 || u.Devices[2].Gone.IsZero() {
				t.Fatalf("%+v", u)
			}
		}
		exported, err := s.Key().Export(nil)
		w.must(err)
		own := newRoomSender(t)
		ticket := w.phone.nextSync()
		got, err := w.phone.ReceiveSync(t.Context(), ticket, syncOf(t, ticket.Since+"+", nil,
			w.tablet.letter(w.phone, "m.forwarded_room_key", object{
				"algorithm": account.Megolm, "room_id": testRoom, "session_id": s.Key().ID().String(),
				"session_key": base64.RawStdEncoding.EncodeToString(exported), "sender_key": w.bob.id.Curve25519.String(),
				"sender_claimed_ed25519_key": w.bob.id.Ed25519.String(), "forwarding_curve25519_key_chain": []string{},
			}, pawl.WithOneTimeKey(w.phone.oneTimeKey())),
			w.tablet.letter(w.phone, "m.room_key", roomKeyOf(t, own)), w.tablet.letter(w.phone, "m.custom", object{})))
		w.must(err)
		if refused := len(got.Refused) == 1 && pawl.CodeOf(got.Refused[0].Err) == "not_requested"; refused != gone || len(got.Events) != 1 || (got.Events[0].Device == "") != gone {
			t.Errorf("gone %v: %+v", gone, got)
		}
		_, err = w.phone.DecryptRoomEvent(t.Context(), s.event("$forwarded"))
		if errors.Is(err, group.ErrNoKey) != gone {
			t.Errorf("gone %v: the forwarded key: %v", gone, err)
		}
		e := own.event("$own")
		e.Sender = w.own.user
		read, err := w.phone.DecryptRoomEvent(t.Context(), e)
		if want := map[bool]pawl.DeviceState{false: pawl.DeviceKnown, true: pawl.DeviceGone}[gone]; err != nil || read.Sender.State != want {
			t.Errorf("gone %v: its own key: %v, %v, want %v", gone, read.Sender.State, err, want)
		}
		w.phone.intact()
	}
}

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
