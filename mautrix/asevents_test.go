package pawlmautrix

import (
	"context"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/matrix"
)

// A program that has the events of an application service's transactions one by one, as
// mautrix-go hands them out, reads and writes as with cryptohelper: it changes two lines.
func TestEventProcessor(t *testing.T) {
	s := server(t)
	peer := startMautrix(t, s, bob, "LAPTOP")
	p := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
	p.client.Syncer, p.client.Store, p.client.SetAppServiceDeviceID = nil, nil, true
	p.client.StateStore = mautrix.NewMemoryStateStore()
	ep := appservice.NewEventProcessor(appservice.Create())
	ep.ExecMode = appservice.Sync
	h, err := NewCryptoHelper(p.client, []byte("secret"), at(t.TempDir(), "bot.pawl"))
	if err != nil {
		t.Fatal(err)
	}
	h.DecryptErrorCallback, h.ASEventProcessor = p.undecryptable, ep
	p.helper = h
	t.Cleanup(p.stop)
	if err := h.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.client.Crypto = h
	ep.On(event.EventMessage, func(_ context.Context, e *event.Event) {
		p.note(func() { p.read = append(p.read, e) })
	})
	of := &transactions{p: p, ep: ep}
	room := makeRoomWith(t, peer, of)
	peer.say(room, "to a service")
	of.until("to a service")
	p.say(room, "from a service")
	peer.reads("from a service")
	uploads := func() int { return len(s.Exchanges("keys/upload")) }
	before := uploads()
	of.counts(0) // the server says that it has none
	for late := time.After(patience); uploads() == before; {
		inTime(t, late, "no keys are uploaded")
		if err := h.ShareKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	check(t, s)
}

var _ crypto.ASEventProcessor = (*appservice.EventProcessor)(nil)

// transactions are what mautrix-go makes of a service's transactions, for one device.
type transactions struct {
	p     *program
	ep    *appservice.EventProcessor
	since string
}

// next hands out what has happened since.
func (x *transactions) next() {
	x.p.t.Helper()
	ctx := x.p.t.Context()
	r, err := x.p.client.FullSyncRequest(ctx, mautrix.ReqSync{Since: x.since})
	if err != nil {
		x.p.t.Fatal(err)
	}
	x.since = r.NextBatch
	hand := func(e *event.Event, class event.TypeClass) {
		if e.Type.Class = class; e.StateKey != nil {
			e.Type.Class = event.StateEventType
		}
		_ = e.Content.ParseRaw(e.Type)
		mautrix.UpdateStateStore(ctx, x.p.client.StateStore, e)
		x.ep.Dispatch(ctx, e)
	}
	x.ep.DispatchDeviceList(ctx, &r.DeviceLists)
	for _, e := range r.ToDevice.Events {
		e.ToUserID, e.ToDeviceID = x.p.client.UserID, x.p.client.DeviceID
		hand(e, event.ToDeviceEventType)
	}
	for room, of := range r.Rooms.Join {
		for _, e := range append(of.State.Events, of.Timeline.Events...) {
			e.RoomID = room
			hand(e, event.MessageEventType)
		}
	}
}

func (x *transactions) counts(n int) {
	x.ep.DispatchOTK(x.p.t.Context(), &mautrix.OTKCount{SignedCurve25519: n, UserID: x.p.client.UserID, DeviceID: x.p.client.DeviceID})
}

// until hands out what happens until a message was read.
func (x *transactions) until(body string) {
	x.p.t.Helper()
	for late := time.After(patience); ; {
		inTime(x.p.t, late, "the service has not read "+body)
		x.next()
		x.p.mu.Lock()
		for _, e := range x.p.read {
			if e.Content.AsMessage().Body == body {
				x.p.mu.Unlock()
				return
			}
		}
		x.p.mu.Unlock()
		if len(x.p.failed) > 0 {
			x.p.t.Fatal(x.p.failed)
		}
	}
}

// makeRoomWith makes an encrypted room of a peer's that the service's user is in.
func makeRoomWith(t *testing.T, peer *program, x *transactions) id.RoomID {
	t.Helper()
	made, err := peer.client.CreateRoom(t.Context(), &mautrix.ReqCreateRoom{
		Preset: "private_chat", Invite: []id.UserID{x.p.client.UserID},
		InitialState: []*event.Event{{Type: event.StateEncryption, Content: event.Content{Parsed: &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}}}},
	})
	if err == nil {
		_, err = x.p.client.JoinRoomByID(t.Context(), made.RoomID)
	}
	if err != nil {
		t.Fatal(err)
	}
	peer.awaitEncrypted(made.RoomID)
	for late := time.After(patience); ; {
		inTime(t, late, "the peer does not know who is in the room")
		members, err := peer.client.StateStore.GetRoomJoinedOrInvitedMembers(t.Context(), made.RoomID)
		if err != nil {
			t.Fatal(err)
		}
		if len(members) == 2 {
			return made.RoomID
		}
	}
}

// inTime ends a test that waits for what has not come.
func inTime(t *testing.T, late <-chan time.Time, what string) {
	t.Helper()
	select {
	case <-late:
		t.Fatalf("%s after %v", what, patience)
	default:
	}
}
