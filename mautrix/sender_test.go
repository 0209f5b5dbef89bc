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
	"time"

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

// How long a server asks to wait, however it says it. One that says 0, or what is over, is
// not asked at once again: that would go on for as long as it has enough.
func TestRetryAfter(t *testing.T) {
	now := time.Now().Truncate(time.Second).UTC()
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	for name, c := range map[string]struct {
		header, date, body string
		least, most        time.Duration
	}{
		"seconds":                        {header: "7", least: 7 * time.Second, most: 7 * time.Second},
		"before the body":                {header: "7", body: `{"retry_after_ms":1}`, least: 7 * time.Second, most: 7 * time.Second},
		"a part of a second":             {header: "0.5", least: 500 * time.Millisecond, most: 500 * time.Millisecond},
		"0":                              {header: "0", least: time.Second, most: time.Second},
		"less than that":                 {header: "-5", least: time.Second, most: time.Second},
		"an age":                         {header: "99999999999999999999", least: mostPause, most: mostPause},
		"no number":                      {header: "NaN", least: time.Second, most: time.Second},
		"a word":                         {header: "soon", least: time.Second, most: time.Second},
		"a time":                         {header: date(time.Minute), least: time.Second, most: time.Minute},
		"a time that is over":            {header: date(-time.Hour), least: time.Second, most: time.Second},
		"a time by a clock that is late": {header: date(-time.Hour + time.Minute), date: date(-time.Hour), least: time.Minute, most: time.Minute},
		"a time by a clock that is fast": {header: date(time.Hour + time.Minute), date: date(time.Hour), least: time.Minute, most: time.Minute},
		"in the body":                    {body: `{"retry_after_ms":1500}`, least: 1500 * time.Millisecond, most: 1500 * time.Millisecond},
		"little in the body":             {body: `{"retry_after_ms":1}`, least: leastPause, most: leastPause},
		"0 in the body":                  {body: `{"retry_after_ms":0}`, least: time.Second, most: time.Second},
		"an age in the body":             {body: `{"retry_after_ms":1e300}`, least: mostPause, most: mostPause},
		"nowhere":                        {body: `{}`, least: time.Second, most: time.Second},
		"not in a page":                  {body: `<html>`, least: time.Second, most: time.Second},
	} {
		answer := &http.Response{Header: http.Header{}}
		answer.Header.Set("Retry-After", c.header)
		answer.Header.Set("Date", c.date)
		if got := retryAfter(answer, []byte(c.body)); got < c.least || got > c.most {
			t.Errorf("%s: %v, want %v to %v", name, got, c.least, c.most)
		}
	}
}
