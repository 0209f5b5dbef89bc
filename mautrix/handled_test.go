package pawlmautrix

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// A message that mautrix-go had handled before the device was imported comes again: it
// is no evidence, and the events beside it keep their places. Of a device that was not
// imported, or weeks ago, it is a message that nobody can read.
func TestMessagesFromBeforeTheImport(t *testing.T) {
	for what, c := range map[string]struct {
		imported time.Duration // ago; 0: never
		refused  int
	}{
		"imported now":        {time.Second, 0},
		"imported long since": {hashLife + time.Hour, 1},
		"not imported":        {0, 1},
	} {
		t.Run(what, func(t *testing.T) {
			ctx := t.Context()
			s := newStoreOf(t, memkv.New(), alice, phone)
			own, err := s.machine.Identity(ctx)
			if err != nil {
				t.Fatal(err)
			}
			peer, body := lostMessage(t, id.Curve25519(own.Curve25519.String()))
			raw, err := base64.RawStdEncoding.DecodeString(body)
			if err != nil {
				t.Fatal(err)
			}
			hash := sha256.Sum256(raw)
			if err := put(ctx, s, spaceHashes, hex.EncodeToString(hash[:]), time.Now()); err != nil {
				t.Fatal(err)
			}
			if c.imported != 0 {
				if err := put(ctx, s, spaceAccount, importedAt, time.Now().Add(-c.imported)); err != nil {
					t.Fatal(err)
				}
			}
			var response mautrix.RespSync
			text := fmt.Sprintf(`{"next_batch":"s1","to_device":{"events":[
				{"type":"m.room.encrypted","sender":%q,"content":{"algorithm":"m.olm.v1.curve25519-aes-sha2","sender_key":%q,"ciphertext":{%q:{"type":0,"body":%q}}}},
				{"type":"org.example.one","sender":%q,"content":{}}]}}`, bob, peer, own.Curve25519, body, bob)
			if err := json.Unmarshal([]byte(text), &response); err != nil {
				t.Fatal(err)
			}
			for _, e := range response.ToDevice.Events {
				e.Type.Class = event.ToDeviceEventType
			}
			ticket, err := s.machine.NextSync(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var said bytes.Buffer
			r := &receiver{machine: s.machine, keys: s, log: zerolog.New(&said), open: func() error { return nil }}
			got, ok := r.commit(ctx, ticket, &response)
			if !ok || len(got.Events) != 1 || got.Events[0].Index != 1 || got.Events[0].Type != "org.example.one" {
				t.Errorf("handed out is %+v, %v", got.Events, ok)
			}
			if n := strings.Count(said.String(), "was not taken"); n != c.refused {
				t.Errorf("%d events were refused, want %d: %s", n, c.refused, &said)
			}
			requests, err := s.machine.OutgoingRequests(ctx)
			if err != nil {
				t.Fatal(err)
			}
			asked := 0 // whose the evidence is
			for _, q := range requests {
				asked += strings.Count(string(q.Body), string(bob))
			}
			if asked != c.refused {
				t.Errorf("%d requests ask for the sender, want %d", asked, c.refused)
			}
		})
	}
}

// In a transaction of an application service it is the same: what mautrix-go had handled is
// left out, and what else there is is Pawl's.
func TestTransactionsFromBeforeTheImport(t *testing.T) {
	for what, c := range map[string]struct {
		imported time.Duration // ago; 0: never
		refused  int
	}{
		"imported now":        {time.Second, 1},
		"imported long since": {hashLife + time.Hour, 2},
		"not imported":        {0, 2},
	} {
		t.Run(what, func(t *testing.T) {
			s := server(t)
			p := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
			said := new(tail)
			p.client.Log = zerolog.New(said)
			h, err := NewCryptoHelper(p.client, []byte("secret"), at(t.TempDir(), "bot.pawl"))
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			if err := h.Init(t.Context()); err != nil {
				t.Fatal(err)
			}
			own, err := h.machine.Identity(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			letter := func() (event string, hash [32]byte) {
				peer, body := lostMessage(t, id.Curve25519(own.Curve25519.String()))
				raw, err := base64.RawStdEncoding.DecodeString(body)
				if err != nil {
					t.Fatal(err)
				}
				return fmt.Sprintf(`{"type":"m.room.encrypted","sender":%q,"to_user_id":%q,"to_device_id":%q,"content":{"algorithm":"m.olm.v1.curve25519-aes-sha2","sender_key":%q,"ciphertext":{%q:{"type":0,"body":%q}}}}`,
					bob, alice, phone, peer, own.Curve25519, body), sha256.Sum256(raw)
			}
			handled, hash := letter()
			another, _ := letter()
			if err := put(t.Context(), h.keys, spaceHashes, hex.EncodeToString(hash[:]), time.Now()); err != nil {
				t.Fatal(err)
			}
			if c.imported != 0 {
				if err := put(t.Context(), h.keys, spaceAccount, importedAt, time.Now().Add(-c.imported)); err != nil {
					t.Fatal(err)
				}
			}
			body := fmt.Sprintf(`{"events":[],"de.sorunome.msc2409.to_device":[%s,%s]}`, handled, another)
			if err := h.ReceiveTransaction(t.Context(), "1", []byte(body)); err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(said.String(), "was not taken"); n != c.refused {
				t.Errorf("%d events were refused, want %d: %s", n, c.refused, said)
			}
			for _, no := range []string{"[]", "{", `{"to_device":{}}`, `{"to_device":[7]}`} {
				if err := h.ReceiveTransaction(t.Context(), no, []byte(no)); err != nil {
					t.Errorf("%s: %v", no, err)
				}
			}
		})
	}
}

// lostMessage is a first message of a peer, to a one-time key that is gone.
func lostMessage(t *testing.T, to id.Curve25519) (peer id.Curve25519, body string) {
	t.Helper()
	own, other := crypto.NewOlmAccount(), crypto.NewOlmAccount()
	s, err := own.Internal.NewOutboundSession(to, other.IdentityKey())
	if err != nil {
		t.Fatal(err)
	}
	_, message, err := s.Encrypt([]byte("of long ago"))
	if err != nil {
		t.Fatal(err)
	}
	return own.IdentityKey(), string(message)
}
