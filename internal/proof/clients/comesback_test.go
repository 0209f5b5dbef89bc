package clients

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/kv/memkv"
)

// What follows is one thing twice: while a room key is shared somebody leaves, which
// the part of a client that handles syncs hears of and gives the session up for.

// leaves is a crypto store in which that happens when the share looks for devices.
type leaves struct {
	*crypto.MemoryStore
	during func()
}

func (s *leaves) GetDevices(ctx context.Context, user id.UserID) (map[id.DeviceID]*id.Device, error) {
	s.during()
	return s.MemoryStore.GetDevices(ctx, user)
}

// encrypted are the rooms of a client, which are encrypted.
type encrypted struct{}

func (encrypted) IsEncrypted(context.Context, id.RoomID) (bool, error) { return true, nil }
func (encrypted) GetEncryptionEvent(context.Context, id.RoomID) (*event.EncryptionEventContent, error) {
	return &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}, nil
}
func (encrypted) GetHistoryVisibility(context.Context, id.RoomID) (*event.HistoryVisibilityEventContent, error) {
	return &event.HistoryVisibilityEventContent{HistoryVisibility: event.HistoryVisibilityShared}, nil
}
func (encrypted) FindSharedRooms(context.Context, id.UserID) ([]id.RoomID, error) { return nil, nil }

// TestRemovedSessionComesBack: in mautrix-go the session that was removed while it was
// shared is stored again at the end of the share, as shared with everybody. If this
// fails mautrix-go has changed.
func TestRemovedSessionComesBack(t *testing.T) {
	ctx := t.Context()
	const room, alice, bob = id.RoomID("!room:example.org"), id.UserID("@alice:example.org"), id.UserID("@bob:example.org")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("{}")) }))
	defer server.Close()
	client, err := mautrix.NewClient(server.URL, alice, "token")
	if err != nil {
		t.Fatal(err)
	}
	client.DeviceID = "PHONE"
	store := &leaves{MemoryStore: crypto.NewMemoryStore(nil)}
	theirs := crypto.NewOlmMachine(client, nil, store, encrypted{})
	store.during = func() {}
	if err := theirs.Load(ctx); err != nil {
		t.Fatal(err)
	}
	for _, user := range []id.UserID{alice, bob} {
		if err := store.PutDevices(ctx, user, map[id.DeviceID]*id.Device{}); err != nil {
			t.Fatal(err)
		}
	}
	heard := false
	store.during = func() {
		key := string(bob)
		left := &event.Event{Type: event.StateMember, RoomID: room, StateKey: &key}
		left.Content.Parsed = &event.MemberEventContent{Membership: event.MembershipLeave}
		theirs.HandleMemberEvent(ctx, left)
		if s, err := store.GetOutboundGroupSession(ctx, room); err != nil || s != nil {
			t.Errorf("bob left, and the session is %v, %v", s, err)
		}
		heard = true
	}
	if err := theirs.ShareGroupSession(ctx, room, []id.UserID{alice, bob}); err != nil || !heard {
		t.Fatalf("sharing: %v, bob left: %v", err, heard)
	}
	if s, err := store.GetOutboundGroupSession(ctx, room); err != nil || s == nil || !s.Shared {
		t.Errorf("the session did not come back: %v, %v", s, err)
	}
}

// TestRemovedSessionStaysAway: the same with Pawl.
func TestRemovedSessionStaysAway(t *testing.T) {
	ctx := t.Context()
	const room = "!room:example.org"
	engine := memkv.New()
	share, syncs := openPawl(t, engine), openPawl(t, engine)
	first, err := share.ShareRoomKey(ctx, room, nil, pawl.RoomSettings{})
	if err != nil || first.Done || len(first.Requests) != 1 {
		t.Fatalf("sharing: %+v, %v", first, err)
	}
	left := []pawl.MemberChange{{User: "@alice:example.org", Membership: pawl.Leave}} // any member will do
	if err := syncs.MembersChanged(ctx, room, left, false); err != nil {
		t.Fatal(err)
	}
	answer, _ := json.Marshal(map[string]any{"device_keys": map[string]any{"@alice:example.org": map[string]any{}}})
	if err := share.MarkSent(ctx, first.Requests[0].ID, answer); err != nil {
		t.Fatal(err)
	}
	var rotate *pawl.RotateError
	if _, err := share.EncryptRoomEvent(ctx, room, "m.room.message", []byte("{}")); !errors.As(err, &rotate) || rotate.Why != group.SomebodyLeft {
		t.Errorf("in the session that was given up: %v", err)
	}
	last, err := share.ShareRoomKey(ctx, room, nil, pawl.RoomSettings{})
	if err != nil || !last.Done || last.Session == first.Session {
		t.Errorf("the session came back: %+v, %v", last, err)
	}
}

func openPawl(t *testing.T, engine *memkv.Store) *pawl.Machine {
	t.Helper()
	s, err := pawl.Open(t.Context(), engine, pawl.WithKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Create(t.Context(), "@alice:example.org", "PHONE")
	if errors.Is(err, pawl.ErrAccountExists) {
		m, err = s.Machine(t.Context(), "@alice:example.org", "PHONE")
	}
	if err != nil {
		t.Fatal(err)
	}
	return m
}
