package pawlmautrix

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// queriesOnce answers uploads, and queries except the next one where that is set.
type queriesOnce struct {
	mu      sync.Mutex
	lose    bool
	queries [][]byte
}

func (q *queriesOnce) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a := httptest.NewRecorder()
	if strings.HasSuffix(r.URL.Path, "/keys/upload") {
		fmt.Fprint(a, `{"one_time_key_counts":{"signed_curve25519":50}}`)
		return a.Result(), nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.queries = append(q.queries, body)
	if q.lose {
		q.lose = false
		return nil, io.ErrUnexpectedEOF
	}
	fmt.Fprint(a, `{"device_keys":{}}`)
	return a.Result(), nil
}

// Requests behind one without an answer are given back: whoever asks next is handed them,
// and need not wait until they count as lost.
func TestRequestsAreGivenBack(t *testing.T) {
	q := &queriesOnce{}
	client, err := mautrix.NewClient("http://localhost", alice, "token")
	if err != nil {
		t.Fatal(err)
	}
	client.Client = &http.Client{Transport: q}
	m := newStoreOf(t, memkv.New(), alice, phone).machine
	s := newSender(client, m, zerolog.Nop())
	if err := s.sendAll(t.Context()); err != nil { // the device's own keys go first
		t.Fatal(err)
	}
	members := make([]matrix.UserID, 2*device.MaxQuery)
	for i := range members {
		members[i] = matrix.UserID(fmt.Sprintf("@member%d:example.org", i))
	}
	sharing, err := m.ShareRoomKey(t.Context(), "!room:example.org", members, pawl.RoomSettings{Algorithm: string(id.AlgorithmMegolmV1)})
	if err != nil {
		t.Fatal(err)
	}
	asked := len(sharing.Requests)
	if asked < 2 {
		t.Fatalf("%d requests, want some", asked)
	}
	q.lose, q.queries = true, nil
	if err := s.sendEach(t.Context(), sharing.Requests); !errors.Is(err, errNoAnswer) || len(q.queries) != 1 {
		t.Fatalf("sendEach = %v after %d queries, want no answer to one", err, len(q.queries))
	}
	if err := s.sendAll(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, r := range sharing.Requests {
		n := 0
		for _, body := range q.queries[1:] {
			if bytes.Equal(body, r.Body) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s went out %d times after that, want once", r.ID, n)
		}
	}
}
