package pawlmautrix

import (
	"fmt"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// stepper is a program whose syncs the test makes, one by one.
type stepper struct {
	*program
	h    *CryptoHelper
	next string
}

func newStepper(t *testing.T, s hs.Homeserver, token, path string) *stepper {
	t.Helper()
	p := newProgram(t, s, alice, phone, token)
	h, err := NewCryptoHelper(p.client, []byte("secret"), path)
	if err != nil {
		t.Fatal(err)
	}
	p.helper = h
	t.Cleanup(p.stop)
	if err := h.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.client.Crypto = h
	next, err := p.client.Store.LoadNextBatch(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	return &stepper{p, h, next}
}

// step is what the client does in its loop.
func (p *stepper) step() {
	p.t.Helper()
	response, err := p.client.FullSyncRequest(p.t.Context(), mautrix.ReqSync{Since: p.next})
	if err == nil {
		err = p.client.Store.SaveNextBatch(p.t.Context(), alice, response.NextBatch)
	}
	if err == nil {
		err = p.client.Syncer.ProcessResponse(p.t.Context(), response, p.next)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.next = response.NextBatch
}

func (p *stepper) stored() string {
	p.t.Helper()
	next, err := p.h.machine.NextSync(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return next.Since
}

// A program that has left the chain of tokens learns what it must know before it
// encrypts, once the one that was in it is gone; hands out every message once; and finds
// back into the chain.
func TestFollow(t *testing.T) {
	s := server(t)
	token := s.Login(matrix.UserID(alice), matrix.DeviceID(phone))
	path := at(t.TempDir(), "bot.pawl")
	first, second := newStepper(t, s, token, path), newStepper(t, s, token, path)
	peer := startMautrix(t, s, bob, "LAPTOP")
	made, err := first.client.CreateRoom(t.Context(), &mautrix.ReqCreateRoom{
		Preset: "private_chat", Invite: []id.UserID{bob},
		InitialState: []*event.Event{{Type: event.StateEncryption, Content: event.Content{Parsed: &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := made.RoomID
	if _, err := peer.client.JoinRoomByID(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	peer.awaitEncrypted(r)
	first.step()
	first.say(r, "hello")
	peer.reads("hello")
	peer.say(r, "one")
	first.step()
	peer.say(r, "two")
	second.step() // behind another token than the first's
	if second.next == second.stored() {
		t.Fatal("the second program is in the chain: there is nothing to test")
	}
	first.stop()
	if _, err := peer.client.LeaveRoom(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	second.step()
	info, err := second.h.machine.Room(t.Context(), matrix.RoomID(r))
	if err != nil {
		t.Fatal(err)
	}
	if info.Why != group.SomebodyLeft {
		t.Errorf("the room key is kept (%v) though a member left", info.Why)
	}
	if second.next != second.stored() {
		t.Errorf("the program goes on at %s, and %s is stored: it has not found back", second.next, second.stored())
	}
	counts := map[string]int{}
	for _, e := range second.read {
		counts[e.Content.AsMessage().Body]++
	}
	if fmt.Sprint(counts) != fmt.Sprint(map[string]int{"hello": 1, "one": 1, "two": 1}) {
		t.Errorf("the second program has read %v, want each message once", counts)
	}
}
