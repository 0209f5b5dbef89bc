package pawlmautrix

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// changing are the requests by which a device's keys are used.
func changing(s hs.Homeserver) (all []string) {
	for _, e := range s.Exchanges("keys/upload", "keys/claim", "sendToDevice") {
		if e.User == matrix.UserID(alice) && e.Device == matrix.DeviceID(phone) {
			all = append(all, fmt.Sprintf("%s %s", e.Endpoint, e.Request))
		}
	}
	return all
}

// Whoever hands mautrix-go's machine a response as well, before or after the helper, has
// it upload, claim and answer nothing, and open no session: the response has a room key,
// a message that nobody reads, a request for a room key, and no one-time keys left.
func TestMachineIsQuiet(t *testing.T) {
	s := server(t)
	bot := newStepper(t, s, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), "bot.pawl"))
	bot.h.sender.stop() // what it sends, the test sends
	send := func() {
		t.Helper()
		if err := bot.h.sender.sendAll(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	peer := startMautrix(t, s, bob, "LAPTOP")
	made, err := peer.client.CreateRoom(t.Context(), &mautrix.ReqCreateRoom{Preset: "private_chat", Invite: []id.UserID{alice},
		InitialState: []*event.Event{{Type: event.StateEncryption, Content: event.Content{Parsed: &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}}}},
	})
	if err == nil {
		_, err = bot.client.JoinRoomByID(t.Context(), made.RoomID)
	}
	if err != nil {
		t.Fatal(err)
	}
	bot.step()
	send()
	peer.awaitEncrypted(made.RoomID)
	sent := peer.say(made.RoomID, "hello")
	own, err := bot.h.machine.Identity(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tablet := startMautrix(t, s, alice, "TABLET") // whom a machine of mautrix-go's own would tell that it gets none
	theirs := peer.helper.(*cryptohelper.CryptoHelper).Machine().OwnIdentity()
	for _, e := range []struct {
		from    *program
		kind    event.Type
		content map[string]any
	}{
		{peer, event.ToDeviceEncrypted, map[string]any{
			"algorithm": id.AlgorithmOlmV1, "sender_key": theirs.IdentityKey,
			"ciphertext": map[string]any{own.Curve25519.String(): map[string]any{"type": 1, "body": "AwogAAAA"}},
		}},
		{tablet, event.ToDeviceRoomKeyRequest, map[string]any{
			"action": "request", "request_id": "one", "requesting_device_id": "TABLET",
			"body": map[string]any{"algorithm": id.AlgorithmMegolmV1, "room_id": made.RoomID, "session_id": own.Curve25519.String(), "sender_key": own.Curve25519.String()},
		}},
	} {
		if _, err := e.from.client.SendToDevice(t.Context(), e.kind, &mautrix.ReqSendToDevice{
			Messages: map[id.UserID]map[id.DeviceID]*event.Content{alice: {phone: {Raw: e.content}}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	get := func() *mautrix.RespSync {
		t.Helper()
		response, err := bot.client.FullSyncRequest(t.Context(), mautrix.ReqSync{Since: bot.next})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(response.ToDevice.Events); n != 3 {
			t.Fatalf("%d to-device events", n)
		}
		response.DeviceOTKCount = mautrix.OTKCount{}
		return response
	}
	first, second, third := get(), get(), get()
	olm := bot.h.Machine()
	allow, asked := olm.AllowKeyShare, make(chan struct{}, 1)
	tells := func(ctx context.Context, d *id.Device, q event.RequestedKeyInfo) *crypto.KeyShareRejection {
		defer func() { asked <- struct{}{} }()
		return allow(ctx, d, q)
	}
	peerKey, err := ratchet.ParsePublicKey(string(theirs.IdentityKey))
	if err != nil {
		t.Fatal(err)
	}
	known := func() (sessions, keys int) {
		t.Helper()
		all, err := bot.h.machine.Sessions(t.Context(), peerKey)
		if err != nil {
			t.Fatal(err)
		}
		for _, err := range bot.h.machine.ExportRoomKeys(t.Context(), pawl.RoomKeyExport{}) {
			if err != nil {
				t.Fatal(err)
			}
			keys++
		}
		return len(all), keys
	}
	feed := func(when string, response *mautrix.RespSync) {
		t.Helper()
		before := changing(s)
		sessions, keys := known()
		olm.AllowKeyShare = tells
		olm.ProcessSyncResponse(t.Context(), response, bot.next)
		<-asked
		olm.AllowKeyShare = allow
		for _, n := range []int{-1, 0} {
			if err := olm.ShareKeys(t.Context(), n); err != nil {
				t.Errorf("%s: ShareKeys(%d) = %v", when, n, err)
			}
		}
		if err := olm.RepairOneTimeKeys(t.Context()); err == nil {
			t.Errorf("%s: one-time keys were repaired", when)
		}
		if after := changing(s); len(after) != len(before) {
			t.Errorf("%s: mautrix-go's machine sent %q", when, after[len(before):])
		}
		if ns, nk := known(); ns != sessions || nk != keys {
			t.Errorf("%s: %d sessions became %d, %d room keys %d", when, sessions, ns, keys, nk)
		}
	}
	feed("before", first)
	if err := bot.client.Syncer.ProcessResponse(t.Context(), second, bot.next); err != nil {
		t.Fatal(err)
	}
	if sessions, keys := known(); sessions != 1 || keys != 1 {
		t.Errorf("Pawl has %d sessions and %d room keys", sessions, keys)
	}
	send()
	feed("after", third)
	if err := olm.GetAccount().Internal.GenOneTimeKeys(5); err != nil {
		t.Fatal(err)
	}
	if keys, err := olm.GetAccount().Internal.OneTimeKeys(); err != nil || len(keys) > 0 {
		t.Errorf("its account has %d one-time keys, %v", len(keys), err)
	}
	if e := bot.reads("hello"); e.ID != sent {
		t.Errorf("read %s", e.ID)
	}
}

// What is not Pawl's comes to mautrix-go's machine and then to the listeners, each event
// before the next, and encrypted ones as they came; what is Pawl's does not.
func TestMachineGetsEvents(t *testing.T) {
	s := server(t)
	bot := newStepper(t, s, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), "bot.pawl"))
	var got []string
	bot.h.Machine().OnRoomKeyBundle = func(_ context.Context, content *event.RoomKeyBundleEventContent) {
		got = append(got, "machine "+string(content.RoomID))
	}
	bot.client.Syncer.(*mautrix.DefaultSyncer).OnEvent(func(_ context.Context, e *event.Event) {
		if e.Mautrix.EventSource == event.SourceToDevice {
			got = append(got, fmt.Sprint("listener ", e.Content.Raw["room_id"]))
		}
	})
	peer := startMautrix(t, s, bob, "LAPTOP")
	olm := peer.helper.(*cryptohelper.CryptoHelper).Machine()
	device, err := olm.GetOrFetchDevice(t.Context(), alice, phone)
	if err != nil {
		t.Fatal(err)
	}
	for _, room := range []id.RoomID{"!one:example.org", "!two:example.org"} {
		err := olm.SendEncryptedToDevice(t.Context(), device, event.ToDeviceRoomKeyBundle, event.Content{Raw: map[string]any{"room_id": room}})
		if err == nil {
			err = olm.SendEncryptedToDevice(t.Context(), device, event.ToDeviceDummy, event.Content{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	bot.step()
	want := []string{"machine !one:example.org", "listener !one:example.org", "machine !two:example.org", "listener !two:example.org"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	got = nil
	bot.step()
	if len(got) > 0 {
		t.Errorf("%q came again", got)
	}
}

// A panic of mautrix-go's machine keeps no listener from its event, and syncing goes on.
func TestMachinePanics(t *testing.T) {
	s := server(t)
	bot := newStepper(t, s, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), "bot.pawl"))
	bot.h.Machine().OnRoomKeyBundle = func(context.Context, *event.RoomKeyBundleEventContent) { panic("on purpose") }
	listened := 0
	bot.client.Syncer.(*mautrix.DefaultSyncer).OnEventType(event.ToDeviceRoomKeyBundle, func(context.Context, *event.Event) { listened++ })
	olm := startMautrix(t, s, bob, "LAPTOP").helper.(*cryptohelper.CryptoHelper).Machine()
	device, err := olm.GetOrFetchDevice(t.Context(), alice, phone)
	if err == nil {
		err = olm.SendEncryptedToDevice(t.Context(), device, event.ToDeviceRoomKeyBundle, event.Content{Raw: map[string]any{"room_id": "!one:example.org"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	bot.step()
	bot.step()
	if listened != 1 {
		t.Errorf("the listener got it %d times", listened)
	}
}
