package pawlmautrix

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"maunium.net/go/mautrix"

	"github.com/pawlkv/pawl/matrix"
)

// A response with null in place of rooms and events is handled without them, and its token
// is stored: otherwise it would come again at each start.
func TestNulls(t *testing.T) {
	s := server(t)
	p := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
	h, err := NewCryptoHelper(p.client, []byte("secret"), at(t.TempDir(), "bot.pawl"))
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if err := h.Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, rest := range []string{
		`"rooms":null,"to_device":null,"device_lists":null,"device_one_time_keys_count":null,"presence":null,"account_data":null`,
		`"rooms":{"join":null,"leave":null,"invite":null,"knock":null}`,
		`"rooms":{"join":{"!r:example.org":null}}`,
		`"rooms":{"leave":{"!r:example.org":null}}`,
		`"rooms":{"invite":{"!r:example.org":null}}`,
		`"rooms":{"knock":{"!r:example.org":null}}`,
		`"rooms":{"join":{"!r:example.org":{"state":null,"timeline":null,"state_after":null,"ephemeral":null,"account_data":null}}}`,
		`"rooms":{"join":{"!r:example.org":{"state":{"events":[null]},"timeline":{"events":[null]},"ephemeral":{"events":[null]},"account_data":{"events":[null]}}}}`,
		`"rooms":{"join":{"!r:example.org":{"state_after":{"events":[null]}}}}`,
		`"rooms":{"join":{"!r:example.org":{"org.matrix.msc4222.state_after":{"events":[null]}}}}`,
		`"rooms":{"leave":{"!r:example.org":{"state":{"events":[null]},"timeline":{"events":[null]}}}}`,
		`"rooms":{"invite":{"!r:example.org":{"invite_state":{"events":[null]}}}}`,
		`"rooms":{"join":{"!r:example.org":{"timeline":{"events":[{"type":"m.room.member","state_key":"@x:example.org","content":null}]}}}}`,
		`"to_device":{"events":[null]},"presence":{"events":[null]},"account_data":{"events":[null]}`,
	} {
		token := fmt.Sprint("token", i)
		web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"next_batch":%q,%s}`, token, rest)
		}))
		since, err := p.client.Store.LoadNextBatch(t.Context(), alice)
		if err != nil {
			t.Fatal(err)
		}
		c, err := mautrix.NewClient(web.URL, alice, "token")
		if err != nil {
			t.Fatal(err)
		}
		response, err := c.FullSyncRequest(t.Context(), mautrix.ReqSync{Since: since})
		web.Close()
		if err != nil {
			t.Errorf("%s: %v", rest, err)
			continue
		}
		if err := p.client.Syncer.ProcessResponse(t.Context(), response, since); err != nil {
			t.Errorf("%s: %.200s", rest, err.Error())
		}
		if now, err := p.client.Store.LoadNextBatch(t.Context(), alice); err != nil || now != token {
			t.Errorf("%s: the stored token is %q, %v, want %q", rest, now, err, token)
		}
	}
}
