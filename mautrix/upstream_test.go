package pawlmautrix

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/crypto/cryptohelper"
	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// What docs/upstream-mautrix.md offers to change in mautrix-go, each as it is in the
// version that is pinned. Where one of these fails mautrix-go has changed: its part of
// the page goes, and what Pawl does because of it may go.

var errDisk = errors.New("the disk is full")

// disk is a session whose steps cannot be stored, as one that lives in a database.
type disk struct{ olm.Session }

func (disk) ID() id.SessionID                              { return "session" }
func (disk) Describe() string                              { return "a session" }
func (disk) Encrypt([]byte) (id.OlmMsgType, []byte, error) { return 0, nil, errDisk }

// lone is a machine of mautrix-go's in memory, whose homeserver is a function.
func lone(t *testing.T, answer func(*http.Request) string) (*crypto.OlmMachine, *crypto.MemoryStore) {
	t.Helper()
	c, err := mautrix.NewClient("http://homeserver", alice, "token")
	if err != nil {
		t.Fatal(err)
	}
	c.DeviceID = phone
	c.Client = &http.Client{Transport: answers(answer)}
	rooms := mautrix.NewMemoryStateStore().(*mautrix.MemoryStateStore)
	rooms.Encryption["!room"] = &event.EncryptionEventContent{Algorithm: id.AlgorithmMegolmV1}
	store := crypto.NewMemoryStore(nil)
	m := crypto.NewOlmMachine(c, nil, store, rooms)
	if err := m.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m, store
}

// answers are a homeserver's to requests.
type answers func(*http.Request) string

func (a answers) RoundTrip(q *http.Request) (*http.Response, error) {
	body := io.NopCloser(strings.NewReader(a(q)))
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: body, Request: q}, nil
}

func nothing(*http.Request) string { return "{}" }

// Its own error would do: SendEncryptedToDevice returns one.
func TestUpstreamPanicsWhereEncryptFails(t *testing.T) {
	m, store := lone(t, nothing)
	peer := &id.Device{UserID: bob, DeviceID: "LAPTOP", IdentityKey: "curve", SigningKey: "ed"}
	if err := store.AddSession(t.Context(), peer.IdentityKey, &crypto.OlmSession{Internal: disk{}}); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if got := recover(); got != error(errDisk) {
			t.Errorf("it ended with %v, want a panic with %v", got, errDisk)
		}
	}()
	err := m.SendEncryptedToDevice(t.Context(), peer, event.ToDeviceDummy, event.Content{Parsed: &event.DummyEventContent{}})
	t.Errorf("no panic, and %v", err)
}

// Bob leaves while the room's key is on its way to him. The session is removed, and then
// it is there again: the next message is in the session whose key he has.
func TestUpstreamRemovedSessionComesBack(t *testing.T) {
	var m *crypto.OlmMachine
	var store *crypto.MemoryStore
	removed := false
	m, store = lone(t, func(q *http.Request) string {
		if strings.Contains(q.URL.Path, "/sendToDevice/m.room.encrypted/") {
			key := string(bob)
			m.HandleMemberEvent(q.Context(), &event.Event{
				Type: event.StateMember, RoomID: "!room", StateKey: &key,
				Content:  event.Content{Parsed: &event.MemberEventContent{Membership: event.MembershipLeave}},
				Unsigned: event.Unsigned{PrevContent: &event.Content{Parsed: &event.MemberEventContent{Membership: event.MembershipJoin}}},
			})
			left, err := store.GetOutboundGroupSession(q.Context(), "!room")
			removed = left == nil && err == nil
		}
		return "{}"
	})
	if err := store.PutDevices(t.Context(), bob, map[id.DeviceID]*id.Device{}); err != nil {
		t.Fatal(err)
	}
	if err := m.ShareGroupSession(t.Context(), "!room", []id.UserID{bob}); err != nil {
		t.Fatal(err)
	}
	session, err := store.GetOutboundGroupSession(t.Context(), "!room")
	if !removed || session == nil || !session.Shared || err != nil {
		t.Errorf("removed %v; then there is %+v %v, want the shared session", removed, session, err)
	}
}

// Bob is no device of Alice's, is not verified, and was not asked.
func TestUpstreamTakesForwardedKeysFromAnybody(t *testing.T) {
	s := server(t)
	a, b := startMautrix(t, s, alice, phone), startMautrix(t, s, bob, "LAPTOP")
	room := makeRoom(t, a, b)
	session, key := exported(t)
	theirs := b.helper.(*cryptohelper.CryptoHelper).Machine()
	device, err := theirs.GetOrFetchDevice(t.Context(), alice, phone)
	if err != nil {
		t.Fatal(err)
	}
	err = theirs.SendEncryptedToDevice(t.Context(), device, event.ToDeviceForwardedRoomKey, event.Content{Parsed: &event.ForwardedRoomKeyEventContent{
		RoomKeyEventContent: event.RoomKeyEventContent{Algorithm: id.AlgorithmMegolmV1, RoomID: room, SessionID: session, SessionKey: key},
		SenderKey:           "a curve key of Alice's boss", SenderClaimedKey: "an ed key of Alice's boss",
	}})
	if err != nil {
		t.Fatal(err)
	}
	ours := a.helper.(*cryptohelper.CryptoHelper).Machine()
	if !ours.WaitForSession(t.Context(), room, "", session, patience) {
		t.Fatal("it was not taken")
	}
	got, err := ours.CryptoStore.GetGroupSession(t.Context(), room, session)
	if err != nil || got.KeySource != id.KeySourceForward || got.SourceUser != bob || got.SenderKey != "a curve key of Alice's boss" {
		t.Errorf("taken is %+v, %v", got, err)
	}
}

// exported is a room key as it is forwarded.
func exported(t *testing.T) (id.SessionID, string) {
	t.Helper()
	out, err := olm.NewOutboundGroupSession()
	if err != nil {
		t.Fatal(err)
	}
	in, err := olm.NewInboundGroupSession([]byte(out.Key()))
	if err != nil {
		t.Fatal(err)
	}
	key, err := in.Export(0)
	if err != nil {
		t.Fatal(err)
	}
	return out.ID(), string(key)
}

// ending is a syncer during whose first response the program ends.
type ending struct{ *mautrix.DefaultSyncer }

var errEnds = errors.New("the program ends here")

func (ending) ProcessResponse(context.Context, *mautrix.RespSync, string) error { return errEnds }

func (ending) OnFailedSync(_ *mautrix.RespSync, err error) (time.Duration, error) { return 0, err }

func TestUpstreamSavesTheTokenBeforeProcessing(t *testing.T) {
	m, _ := lone(t, func(q *http.Request) string {
		switch {
		case strings.HasSuffix(q.URL.Path, "/filter"):
			return `{"filter_id":"1"}`
		case strings.HasSuffix(q.URL.Path, "/sync"):
			return `{"next_batch":"after","to_device":{"events":[{"type":"m.room_key_request","sender":"@bob:example.org","content":{}}]}}`
		}
		return "{}"
	})
	m.Client.Syncer = ending{mautrix.NewDefaultSyncer()}
	if err := m.Client.SyncWithContext(t.Context()); !errors.Is(err, errEnds) {
		t.Fatal(err)
	}
	next, err := m.Client.Store.LoadNextBatch(t.Context(), alice)
	if next != "after" || err != nil {
		t.Errorf("it goes on from %q, %v; want after what it has not processed", next, err)
	}
}

// LoginAs needs FindDeviceID of a store, which is no method of crypto.Store: of an
// interface with it any store would do, and only SQLCryptoStore does.
func TestUpstreamLogsInWithItsOwnStoreOnly(t *testing.T) {
	m, store := lone(t, nothing)
	m.Client.StateStore = mautrix.NewMemoryStateStore()
	h, err := cryptohelper.NewCryptoHelper(m.Client, []byte("key"), store)
	if err != nil {
		t.Fatal(err)
	}
	h.LoginAs = &mautrix.ReqLogin{Type: mautrix.AuthTypePassword}
	if err := h.Init(t.Context()); err == nil || err.Error() != "LoginAs can only be used with a managed crypto store" {
		t.Errorf("Init: %v", err)
	}
}

// The homeserver sends a transaction again, after another one.
func TestUpstreamRemembersOneTransaction(t *testing.T) {
	as := appservice.Create()
	as.Registration = &appservice.Registration{ServerToken: "the server's"}
	put := func(name string) {
		t.Helper()
		text := fmt.Sprintf(`{"events":[{"type":"m.room.message","room_id":"!r","event_id":"$%s","sender":%q,"content":{}}]}`, name, bob)
		q := httptest.NewRequestWithContext(t.Context(), http.MethodPut, "/_matrix/app/v1/transactions/"+name, strings.NewReader(text))
		q.Header.Set("Authorization", "Bearer the server's")
		a := httptest.NewRecorder()
		if as.Router.ServeHTTP(a, q); a.Code != http.StatusOK {
			t.Fatal(a.Code, a.Body)
		}
	}
	for _, name := range []string{"1", "1", "2", "1"} {
		put(name)
	}
	var got []id.EventID
	for len(as.Events) > 0 {
		got = append(got, (<-as.Events).ID)
	}
	if want := []id.EventID{"$1", "$2", "$1"}; !slices.Equal(got, want) {
		t.Errorf("handled were %v, want %v: the first again, since the second took its place", got, want)
	}
}
