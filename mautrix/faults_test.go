package pawlmautrix

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// A body with one-time keys is sent once, whatever the client does with other requests:
// if its answer is lost, the next one has others.
func TestUploadsAreNotRetried(t *testing.T) {
	s := server(t)
	s.Fail(hs.Fault{Endpoint: "keys/upload", Times: 1, Do: hs.Lose})
	p := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
	p.client.DefaultHTTPRetries, p.client.DefaultHTTPBackoff = 4, time.Millisecond
	h, err := NewCryptoHelper(p.client, []byte("secret"), at(t.TempDir(), "bot.pawl"))
	if err != nil {
		t.Fatal(err)
	}
	p.helper = h
	defer p.stop()
	if err := h.Init(t.Context()); err == nil {
		t.Fatal("Init did not tell that the upload's answer was lost")
	}
	if err := h.sender.sendAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	uploads, fallback := 0, false
	for _, e := range s.Exchanges("keys/upload") {
		if len(oneTimeKeys(t, e.Request)) > 0 {
			uploads++
		}
		fallback = fallback || strings.Contains(string(e.Request), "fallback_keys")
	}
	if uploads < 2 || !fallback {
		t.Errorf("%d uploads with one-time keys, a fallback key: %v; want 2 and true", uploads, fallback)
	}
	check(t, s)
}

// Of processes that begin at once one uploads the device's keys, and the others wait for
// that.
func TestBeginTogether(t *testing.T) {
	s := server(t)
	// Who is first learns late that the server has no other keys of the device.
	s.Fail(hs.Fault{Endpoint: "keys/query", Times: 1, Do: hs.Effect{Delay: time.Second}})
	token, path := s.Login(matrix.UserID(alice), matrix.DeviceID(phone)), at(t.TempDir(), "bot.pawl")
	begun := make(chan error, 3)
	for range cap(begun) {
		p := newProgram(t, s, alice, phone, token)
		h, err := NewCryptoHelper(p.client, []byte("secret"), path)
		if err != nil {
			t.Fatal(err)
		}
		p.helper = h
		defer p.stop()
		go func() { begun <- h.Init(t.Context()) }()
	}
	for range cap(begun) {
		if err := <-begun; err != nil {
			t.Error(err)
		}
	}
	check(t, s)
}

// After a restart a room is known as encrypted, whatever became of the file beside the
// store: what is sent is encrypted, for everybody who is in the room now.
func TestRestart(t *testing.T) {
	for _, lost := range []string{"nothing", "the state", "members of the state"} {
		t.Run(lost, func(t *testing.T) {
			s := server(t, "@carol:example.org")
			token := s.Login(matrix.UserID(alice), matrix.DeviceID(phone))
			path := at(t.TempDir(), "bot.pawl")
			bot, peer := startPawl(t, s, token, path), startMautrix(t, s, bob, "LAPTOP")
			r := makeRoom(t, bot, peer)
			bot.say(r, "before")
			peer.reads("before")
			bot.stop()
			state := place{path: path}.stateFile()
			switch lost {
			case "the state":
				for _, end := range []string{"", "-wal", "-shm"} {
					if err := os.Remove(state + end); err != nil && !os.IsNotExist(err) {
						t.Fatal(err)
					}
				}
			case "members of the state":
				db, err := place{path: path}.openState()
				if err == nil {
					_, err = db.Exec("DELETE FROM mx_user_profile")
				}
				if err == nil {
					err = db.Close()
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			late := startMautrix(t, s, "@carol:example.org", "TABLET")
			if _, err := peer.client.InviteUser(t.Context(), r, &mautrix.ReqInviteUser{UserID: late.client.UserID}); err != nil {
				t.Fatal(err)
			}
			if _, err := late.client.JoinRoomByID(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			bot = startPawl(t, s, token, path)
			bot.say(r, "after")
			peer.reads("after")
			late.reads("after")
			check(t, s)
		})
	}
}

// A response that cannot be stored is not handed out, and comes again.
func TestNothingIsHandedOutBefore(t *testing.T) {
	s := server(t)
	path := at(t.TempDir(), "bot.pawl")
	token := s.Login(matrix.UserID(alice), matrix.DeviceID(phone))
	bot, peer := startPawl(t, s, token, path), startMautrix(t, s, bob, "LAPTOP")
	r := makeRoom(t, bot, peer)
	bot.stop()
	peer.say(r, "while it is away")

	again := newProgram(t, s, alice, phone, token)
	h, err := NewCryptoHelper(again.client, []byte("secret"), path)
	if err != nil {
		t.Fatal(err)
	}
	again.helper = h
	if err := h.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	since, err := again.client.Store.LoadNextBatch(ctx, alice)
	if err != nil {
		t.Fatal(err)
	}
	response, err := again.client.FullSyncRequest(ctx, mautrix.ReqSync{Since: since})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := again.client.Syncer.ProcessResponse(ctx, response, since); err != nil {
		t.Fatal(err)
	}
	if len(again.read) != 0 {
		t.Error("a message was handed out by a context that has ended")
	}
	again.stop()

	startPawl(t, s, token, path).reads("while it is away")
}

// Events that are not Pawl's come to the listeners decrypted, in order, and those that
// are do not.
func TestOtherToDeviceEvents(t *testing.T) {
	s := server(t)
	token := s.Login(matrix.UserID(alice), matrix.DeviceID(phone))
	p := newProgram(t, s, alice, phone, token)
	var got []string
	p.client.Syncer.(*mautrix.DefaultSyncer).OnEvent(func(_ context.Context, e *event.Event) {
		if e.Mautrix.EventSource&event.SourceToDevice != 0 {
			p.note(func() { got = append(got, e.Type.Type+" "+string(e.Content.VeryRaw)) })
		}
	})
	h, err := NewCryptoHelper(p.client, []byte("secret"), at(t.TempDir(), "bot.pawl"))
	if err != nil {
		t.Fatal(err)
	}
	p.helper = h
	defer p.stop()
	if err := h.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.sync()
	peer := startMautrix(t, s, bob, "LAPTOP")
	for _, kind := range []string{"org.example.one", "m.room_key_request", "org.example.two"} {
		content := event.Content{Raw: map[string]any{"action": "request_cancellation", "request_id": "1", "requesting_device_id": "LAPTOP"}}
		if _, err := peer.client.SendToDevice(t.Context(), event.Type{Type: kind, Class: event.ToDeviceEventType}, &mautrix.ReqSendToDevice{
			Messages: map[id.UserID]map[id.DeviceID]*event.Content{alice: {phone: &content}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	p.await("the second event", func([]*event.Event, []error) bool { return len(got) >= 2 })
	for i, kind := range []string{"org.example.one", "org.example.two"} {
		if !strings.HasPrefix(got[i], kind+" ") || !json.Valid([]byte(strings.TrimPrefix(got[i], kind+" "))) {
			t.Errorf("event %d is %s, want %s", i, got[i], kind)
		}
	}
	if len(got) != 2 {
		t.Errorf("the listeners got %q", got)
	}
}
