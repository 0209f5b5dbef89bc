package pawlmautrix

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"

	"github.com/pawlkv/pawl/matrix"
)

// badAnswers are none to any request of the device's keys.
var badAnswers = map[string]func() *http.Response{
	"HTML": func() *http.Response { return answer(200, "<html>It works!</html>") },
	"a gateway's": func() *http.Response {
		return answer(http.StatusBadGateway, "<html>Bad gateway</html>")
	},
	"an error": func() *http.Response {
		return answer(http.StatusInternalServerError, `{"errcode":"M_UNKNOWN","error":"on purpose"}`)
	},
	"nothing":       func() *http.Response { return answer(200, "") },
	"null":          func() *http.Response { return answer(200, "null") },
	"a list":        func() *http.Response { return answer(200, "[]") },
	"10 MB of that": func() *http.Response { return answer(200, "["+strings.Repeat("0,", 5<<20)+"0]") },
	"half a body": func() *http.Response {
		a := answer(200, "")
		a.Body = io.NopCloser(io.MultiReader(strings.NewReader(`{"device_keys":{`), iotest.ErrReader(io.ErrUnexpectedEOF)))
		return a
	},
}

func answer(status int, body string) *http.Response {
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1,
	}
}

// spoiled is a transport that has no answer to requests of a path, while that is set.
type spoiled struct {
	path   string
	answer func() *http.Response
	on     atomic.Bool
}

func (s *spoiled) RoundTrip(r *http.Request) (*http.Response, error) {
	if s.on.Load() && strings.Contains(r.URL.Path, s.path) {
		a := s.answer()
		a.Request = r
		return a, nil
	}
	return http.DefaultTransport.RoundTrip(r)
}

// While the server does not say which devices a member has, gives no keys of theirs, or
// takes no messages for them, nothing is sent that they could not read: encrypting fails,
// as with mautrix-go's own, and then goes on.
func TestBadAnswers(t *testing.T) {
	for path, times := range map[string]int{
		"/keys/query": 3,
		"/keys/claim": 2, // after three others are not held up by who gives no keys
		// The room key is on its way to whoever there is a session with.
		"/sendToDevice/": 3,
	} {
		for name, bad := range badAnswers {
			t.Run(path[1:]+" "+name, func(t *testing.T) {
				t.Parallel()
				encryptThrough(t, &spoiled{path: path, answer: bad}, times)
			})
		}
	}
}

func encryptThrough(t *testing.T, spoils *spoiled, times int) {
	s := server(t)
	bot := newProgram(t, s, alice, phone, s.Login(matrix.UserID(alice), matrix.DeviceID(phone)))
	bot.client.Client = &http.Client{Transport: spoils}
	h, err := NewCryptoHelper(bot.client, []byte("secret"), at(t.TempDir(), "bot.pawl"))
	if err != nil {
		t.Fatal(err)
	}
	bot.start(h)
	peer := startMautrix(t, s, bob, "LAPTOP")
	spoils.on.Store(true)
	room := makeRoom(t, bot, peer)
	for range times {
		if _, err := bot.client.SendText(t.Context(), room, "to nobody"); !errors.Is(err, errNoAnswer) {
			t.Errorf("SendText = %v, want that the homeserver did not answer", err)
		}
	}
	spoils.on.Store(false)
	bot.say(room, "to all")
	peer.reads("to all")
	if n := len(bot.failed) + len(peer.failed); n > 0 {
		t.Errorf("%d events were not read: %v, %v", n, bot.failed, peer.failed)
	}
	h.HandleEncrypted(t.Context(), nil)
}
