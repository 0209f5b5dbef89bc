package pawlmautrix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// attributed counts the requests that a context is behind, and not those that a bot makes by
// itself.
type attributed struct{ http.RoundTripper }

type behind struct{}

func (a attributed) RoundTrip(q *http.Request) (*http.Response, error) {
	if n, ok := q.Context().Value(behind{}).(*atomic.Int64); ok {
		n.Add(1)
	}
	return a.RoundTripper.RoundTrip(q)
}

// What cannot be encrypted is refused by one error, before anything is asked or shared.
func TestBadContents(t *testing.T) {
	s := newScene(t)
	s.hears("hello")
	var asked atomic.Int64
	ctx := context.WithValue(t.Context(), behind{}, &asked)
	if _, err := s.bot.client.Members(ctx, s.room); err != nil || asked.Load() != 1 {
		t.Fatalf("%d requests were counted, want 1 (%v)", asked.Load(), err)
	}
	for name, c := range map[string]struct {
		room    id.RoomID
		kind    event.Type
		content any
		want    error
		text    string
	}{
		"nil":                      {s.room, event.EventMessage, nil, pawl.ErrContent, "null"},
		"a pointer that is nil":    {s.room, event.EventMessage, (*event.MessageEventContent)(nil), pawl.ErrContent, "null"},
		"a list":                   {s.room, event.EventMessage, []int{1}, pawl.ErrContent, "[1]"},
		"a text":                   {s.room, event.EventMessage, "hi", pawl.ErrContent, `"hi"`},
		"a channel":                {s.room, event.EventMessage, make(chan int), nil, "failed to marshal the content: json: unsupported type: chan int"},
		"a number that JSON lacks": {s.room, event.EventMessage, map[string]any{"x": math.NaN()}, nil, "failed to marshal the content: json: unsupported value: NaN"},
		"JSON that is cut":         {s.room, event.EventMessage, json.RawMessage(`{"a":`), nil, "failed to marshal the content"},
		"no type":                  {s.room, event.Type{}, map[string]any{}, pawl.ErrContent, "type"},
		"no room":                  {"", event.EventMessage, map[string]any{}, matrix.ErrRoomID, "room"},
		"a room that is none":      {"nowhere", event.EventMessage, map[string]any{}, matrix.ErrRoomID, "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			asked.Store(0)
			_, err := s.h.Encrypt(ctx, c.room, c.kind, c.content)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("Encrypt = %v, want %v that tells %q", err, c.want, c.text)
			}
			if n := asked.Load(); n != 0 {
				t.Errorf("%d requests", n)
			}
		})
	}
	for name, e := range map[string]*event.Event{
		"nil": nil, "nothing": {}, "no content": {RoomID: s.room, ID: "$a", Sender: bob},
		"half a content": {RoomID: s.room, ID: "$a", Sender: bob, Content: event.Content{VeryRaw: json.RawMessage(`{"algorithm":`)}},
	} {
		if _, err := s.h.Decrypt(t.Context(), e); err == nil {
			t.Errorf("%s was decrypted", name)
		}
	}
	s.bot.say(s.room, "after all that")
	s.peer.reads("after all that")
}

// A StateStore that knows nobody in a room is not believed, and the server is asked; if
// that knows nobody either nothing is shared, since nobody would read it.
func TestRoomWithoutMembers(t *testing.T) {
	s := newScene(t)
	db := s.h.state
	if _, err := db.Exec(t.Context(), "DELETE FROM mx_user_profile"); err != nil {
		t.Fatal(err)
	}
	if err := db.MarkMembersFetched(t.Context(), s.room); err != nil {
		t.Fatal(err)
	}
	s.bot.say(s.room, "to those whom the server knows")
	s.peer.reads("to those whom the server knows")

	const nowhere = id.RoomID("!nowhere:example.org")
	s.bot.cancel()
	<-s.bot.ended
	s.bot.cancel = nil
	s.bot.client.Client = &http.Client{Transport: nobody{}}
	if _, err := s.h.Encrypt(t.Context(), nowhere, event.EventMessage, map[string]any{}); !errors.Is(err, ErrMembers) || !strings.Contains(err.Error(), string(nowhere)) {
		t.Errorf("Encrypt = %v, want ErrMembers that names the room", err)
	}
}

// nobody is in any room.
type nobody struct{}

func (nobody) RoundTrip(q *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	if strings.HasSuffix(q.URL.Path, "/members") {
		fmt.Fprint(answer, `{"chunk":[]}`)
	} else {
		http.Error(answer, `{"errcode":"M_NOT_FOUND"}`, http.StatusNotFound)
	}
	return answer.Result(), nil
}

// Whatever a homeserver answers, Init ends with an error that says so, and the store goes
// on with one that is well.
func TestBadServers(t *testing.T) {
	large := `{"one_time_key_counts":{},"device_keys":{"@alice:example.org":{"TABLET":{"user_id":"` + strings.Repeat("x", 10<<20) + `"}}}}`
	for name, answer := range map[string]http.HandlerFunc{
		"HTML": func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>It works!</html>") },
		"a gateway's": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, "<html>Bad gateway</html>", http.StatusBadGateway)
		},
		"an error": func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, `{"errcode":"M_UNKNOWN","error":"on purpose"}`, http.StatusInternalServerError)
		},
		"nothing": func(http.ResponseWriter, *http.Request) {},
		"10 MB":   func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, large) },
		"half a body": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, `{"one_time_key_counts":{`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			bad := httptest.NewServer(answer)
			defer bad.Close()
			path := at(t.TempDir(), "bot.pawl")
			c, err := mautrix.NewClient(bad.URL, alice, "token")
			if err != nil {
				t.Fatal(err)
			}
			c.DeviceID = phone
			h, err := NewCryptoHelper(c, []byte("secret"), path)
			if err != nil {
				t.Fatal(err)
			}
			if err := h.Init(t.Context()); err == nil {
				t.Error("Init found nothing wrong")
			} else if len(err.Error()) > 2000 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
			if h.Machine() != nil {
				t.Error("there is a machine")
			}
			if _, err := h.Encrypt(t.Context(), "!r:example.org", event.EventMessage, map[string]any{}); !errors.Is(err, ErrNotReady) {
				t.Errorf("Encrypt = %v, want ErrNotReady", err)
			}
			if err := h.Close(); err != nil {
				t.Error(err)
			}
			s := server(t)
			well := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
			again, err := NewCryptoHelper(well.client, []byte("secret"), path)
			if err != nil {
				t.Fatal(err)
			}
			defer again.Close()
			switch err := again.Init(t.Context()); {
			case err == nil:
			case errors.Is(err, ErrDevice) || !strings.Contains(err.Error(), "in a minute"):
				t.Errorf("Init on a server that is well = %v", err)
			}
		})
	}
}

// Two helpers on one client: the second is refused, before and after the first's Init.
func TestTwoHelpers(t *testing.T) {
	s := server(t)
	p := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
	folder := t.TempDir()
	first, err := NewCryptoHelper(p.client, []byte("secret"), filepath.Join(folder, "one"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := NewCryptoHelper(p.client, []byte("secret"), filepath.Join(folder, "two"))
	if err != nil {
		t.Fatal(err)
	}
	p.helper = first
	t.Cleanup(p.stop)
	if err := first.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	if err := second.Init(context.WithValue(t.Context(), behind{}, &asked)); !errors.Is(err, ErrClient) || !strings.Contains(err.Error(), "another helper") {
		t.Errorf("Init of a second helper = %v, want ErrClient that tells of the other", err)
	}
	if _, err := NewCryptoHelper(p.client, []byte("secret"), filepath.Join(folder, "three")); !errors.Is(err, ErrClient) {
		t.Errorf("a third helper: %v", err)
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
}

// After Close nothing is committed, also in a store that stays open, and calls fail with
// kv.ErrClosed.
func TestClosed(t *testing.T) {
	s := server(t)
	engine := memkv.New()
	store, err := pawl.Open(t.Context(), engine, pawl.WithKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	p := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
	p.client.StateStore = mautrix.NewMemoryStateStore()
	h, err := NewCryptoHelper(p.client, []byte("not used"), store)
	if err == nil {
		err = h.Init(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	peer := startMautrix(t, s, bob, "LAPTOP")
	since, err := p.client.Store.LoadNextBatch(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := peer.client.SendToDevice(t.Context(), event.Type{Type: "org.example.one", Class: event.ToDeviceEventType}, &mautrix.ReqSendToDevice{
		Messages: map[id.UserID]map[id.DeviceID]*event.Content{alice: {phone: {Raw: map[string]any{}}}},
	}); err != nil {
		t.Fatal(err)
	}
	handed := 0
	p.client.Syncer.(*mautrix.DefaultSyncer).OnEvent(func(context.Context, *event.Event) { handed++ })
	response, err := p.client.FullSyncRequest(t.Context(), mautrix.ReqSync{Since: since})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	version := func() kv.Version {
		t.Helper()
		snap := engine.Snapshot()
		defer snap.Close()
		v, err := snap.Version(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	before := version()
	if err := p.client.Syncer.ProcessResponse(t.Context(), response, since); err != nil {
		t.Error(err)
	}
	if _, err := h.Encrypt(t.Context(), "!r:example.org", event.EventMessage, map[string]any{}); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Encrypt = %v, want kv.ErrClosed", err)
	}
	if _, err := h.Decrypt(t.Context(), &event.Event{}); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Decrypt = %v, want kv.ErrClosed", err)
	}
	if err := h.Init(t.Context()); !errors.Is(err, kv.ErrClosed) {
		t.Errorf("Init = %v, want kv.ErrClosed", err)
	}
	if after := version(); after != before || handed != 0 {
		t.Errorf("versions %d to %d, and %d events were handed out", before, after, handed)
	}
}
