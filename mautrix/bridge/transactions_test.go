package pawlbridge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.mau.fi/util/exhttp"
	"maunium.net/go/mautrix/appservice"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/ratchet"
)

const (
	bot = "@bot:example.org"
	bob = "@bob:example.org"
)

// service is an application service with a device, as its homeserver sees it.
type service struct {
	t       *testing.T
	as      *appservice.AppService
	machine *pawl.Machine
	handler http.Handler
	peer    *crypto.OlmAccount
	text    string // the transaction

	away    bool  // the store
	failing error // of whoever handles events
	handled []pawl.ToDeviceEvent
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{t: t, as: appservice.Create(), peer: crypto.NewOlmAccount()}
	s.as.Registration = &appservice.Registration{ServerToken: "the server's", EphemeralEvents: true}
	engine := faulty.Wrap(memkv.New(), faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
		if s.away && c.Op == faulty.Commit {
			return kv.ErrUnavailable
		}
		return nil
	}})
	store, err := pawl.Open(t.Context(), engine, pawl.WithKey([32]byte{1}))
	if err != nil {
		t.Fatal(err)
	}
	if s.machine, err = store.OpenOrCreate(t.Context(), bot, "BRIDGE"); err != nil {
		t.Fatal(err)
	}
	s.as.Middleware = append(s.as.Middleware, CommitTransactions(s.as, s.machine, func(_ context.Context, events []pawl.ToDeviceEvent) error {
		s.handled = append(s.handled, events...)
		return s.failing
	}))
	s.handler = exhttp.ApplyMiddleware(s.as.Router, s.as.Middleware...) // as as.Start does
	s.text = s.transaction()
	return s
}

// transaction has an Olm message of the peer's, its first.
func (s *service) transaction() string {
	s.t.Helper()
	own, err := s.machine.Identity(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	upload, err := s.machine.KeysForUpload(s.t.Context(), 1)
	if err != nil {
		s.t.Fatal(err)
	}
	var body struct {
		Keys map[string]struct{ Key id.Curve25519 } `json:"one_time_keys"`
	}
	if err := json.Unmarshal(upload.Body, &body); err != nil || len(body.Keys) != 1 {
		s.t.Fatal(len(body.Keys), err)
	}
	payload := fmt.Sprintf(`{"type":"org.example.secret","content":{"a":1},"sender":%q,"recipient":%q,"recipient_keys":{"ed25519":%q},"keys":{"ed25519":%q}}`,
		bob, bot, own.Ed25519, s.peer.SigningKey())
	for _, key := range body.Keys {
		session, err := s.peer.Internal.NewOutboundSession(id.Curve25519(own.Curve25519.String()), key.Key)
		if err != nil {
			s.t.Fatal(err)
		}
		_, message, err := session.Encrypt([]byte(payload))
		if err != nil {
			s.t.Fatal(err)
		}
		return fmt.Sprintf(`{"events":[{"type":"m.room.message","room_id":"!r:example.org","event_id":"$e","sender":%q,"content":{"msgtype":"m.text","body":"hi"}}],`+
			`"de.sorunome.msc2409.to_device":[{"type":"m.room.encrypted","sender":%q,"to_user_id":%q,"to_device_id":"BRIDGE",`+
			`"content":{"algorithm":"m.olm.v1.curve25519-aes-sha2","sender_key":%q,"ciphertext":{%q:{"type":0,"body":%q}}}}]}`,
			bob, bob, bot, s.peer.IdentityKey(), own.Curve25519, message)
	}
	return ""
}

// put puts a transaction, and returns the status of the answer.
func (s *service) put(name, token, text string) int {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodPut, transactionsPath+name, strings.NewReader(text))
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w.Code
}

// expect compares what there is: the peer's sessions, the events that were handled, and
// those that mautrix-go got of rooms.
func (s *service) expect(what string, sessions, handled, events int) {
	s.t.Helper()
	peer, err := ratchet.ParsePublicKey(string(s.peer.IdentityKey()))
	if err != nil {
		s.t.Fatal(err)
	}
	all, err := s.machine.Sessions(s.t.Context(), peer)
	if err != nil {
		s.t.Fatal(err)
	}
	if len(all) != sessions || len(s.handled) != handled || len(s.as.Events) != events {
		s.t.Errorf("%s: %d sessions, %d events handled, %d of rooms; want %d, %d, %d", what, len(all), len(s.handled), len(s.as.Events), sessions, handled, events)
	}
}

// What a transaction has is committed before the answer; whoever is not the homeserver
// changes nothing; and the same transaction again changes nothing.
func TestTransactionIsCommittedFirst(t *testing.T) {
	s := newService(t)
	for token, status := range map[string]int{"": http.StatusUnauthorized, "another's": http.StatusUnauthorized} {
		if got := s.put("1", token, s.text); got != status {
			t.Errorf("with token %q: %d, want %d", token, got, status)
		}
	}
	s.expect("another's", 0, 0, 0)
	if got := s.put("1", "the server's", s.text); got != http.StatusOK {
		t.Errorf("the transaction: %d", got)
	}
	s.expect("the transaction", 1, 1, 1)
	if e := s.handled[0]; !e.Encrypted || e.Type != "org.example.secret" || e.Sender != bob || e.Duplicate {
		t.Errorf("handled was %s by %s", e.Type, e.Sender)
	}
	for range 2 {
		if got := s.put("1", "the server's", s.text); got != http.StatusOK {
			t.Errorf("again: %d", got)
		}
	}
	s.expect("again", 1, 1, 1)
}

// A commit that fails is answered with 503, so that the homeserver sends the transaction
// again: nothing of it is there before, not even for mautrix-go.
func TestTransactionThatIsNotStored(t *testing.T) {
	s := newService(t)
	s.away = true
	if got := s.put("1", "the server's", s.text); got != http.StatusServiceUnavailable {
		t.Errorf("while the store is away: %d", got)
	}
	s.away = false
	s.expect("while the store is away", 0, 0, 0)
	if got := s.put("1", "the server's", s.text); got != http.StatusOK {
		t.Errorf("afterwards: %d", got)
	}
	s.expect("afterwards", 1, 1, 1)
}

// Events that are not handled come again, marked, until they are.
func TestTransactionThatIsNotHandled(t *testing.T) {
	s := newService(t)
	s.failing = errors.New("not now")
	for n := 1; n <= 2; n++ {
		if got := s.put("1", "the server's", s.text); got != http.StatusServiceUnavailable {
			t.Errorf("not handled: %d", got)
		}
		s.expect("not handled", 1, n, 0)
	}
	s.failing = nil
	if got := s.put("1", "the server's", s.text); got != http.StatusOK {
		t.Errorf("handled: %d", got)
	}
	s.expect("handled", 1, 3, 1)
	if s.handled[0].Duplicate || !s.handled[1].Duplicate || !s.handled[2].Duplicate || string(s.handled[2].Content) != `{"a":1}` {
		t.Errorf("the event came as %v, %v, %v", s.handled[0].Duplicate, s.handled[1].Duplicate, s.handled[2].Duplicate)
	}
}

// What is no transaction is mautrix-go's to refuse, other requests are its own, and
// transactions over the websocket are refused.
func TestWhatIsLeftToMautrix(t *testing.T) {
	s := newService(t)
	if got := s.put("2", "the server's", "[]"); got != http.StatusBadRequest {
		t.Errorf("no transaction: %d", got)
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/_matrix/mau/live", nil)
	w := httptest.NewRecorder()
	if s.handler.ServeHTTP(w, r); w.Code != http.StatusOK {
		t.Errorf("another request: %d", w.Code)
	}
	s.as.PrepareWebsocket()
	var message appservice.WebsocketMessage
	if err := json.Unmarshal([]byte(s.text), &message); err != nil {
		t.Fatal(err)
	}
	if ok, _ := s.as.WebsocketTransactionHandler(t.Context(), message); ok {
		t.Error("a transaction over the websocket is taken")
	}
	s.expect("left to mautrix-go", 0, 0, 0)
}
