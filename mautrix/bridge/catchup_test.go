package pawlbridge

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/group"
)

// script answers syncs when a test says so.
type script struct {
	testing.TB
	asked   chan url.Values
	answers chan string // "": with status 500
}

func (s *script) RoundTrip(q *http.Request) (*http.Response, error) {
	select {
	case s.asked <- q.URL.Query():
	case <-q.Context().Done():
		return nil, q.Context().Err()
	}
	select {
	case text := <-s.answers:
		a := &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Request: q}
		if text == "" {
			a.StatusCode, text = http.StatusInternalServerError, "{}"
		}
		a.Body = io.NopCloser(strings.NewReader(text))
		return a, nil
	case <-q.Context().Done():
		return nil, q.Context().Err()
	}
}

// asks waits for a sync, and compares from where it goes on and whether it waits.
func (s *script) asks(what, since string, waits bool) {
	s.Helper()
	select {
	case q := <-s.asked:
		if got := q.Get("timeout") == "30000"; q.Get("since") != since || got != waits {
			s.Errorf("%s: a sync from %q that waits: %v; want %q, %v", what, q.Get("since"), got, since, waits)
		}
	case <-time.After(longest):
		s.Fatalf("%s: there was no sync", what)
	}
}

// answer answers the sync that was asked for last.
func (s *script) answer(letters int, next string) {
	all := make([]string, letters)
	for i := range all {
		all[i] = `{"type":"org.example.one","sender":"@carol:example.org","content":{}}`
	}
	s.answers <- fmt.Sprintf(`{"next_batch":%q,"to_device":{"events":[%s]}}`, next, strings.Join(all, ","))
}

// rests waits until it has caught up, and fails if it syncs then.
func (s *script) rests(what string, u *catchUp) {
	s.Helper()
	for end := time.Now().Add(longest); ; time.Sleep(time.Millisecond) {
		if behind, _, _ := u.state(); !behind {
			break
		}
		if time.Now().After(end) {
			s.Fatalf("%s: it never caught up", what)
		}
	}
	select {
	case q := <-s.asked:
		s.Errorf("%s: there was another sync: %v", what, q)
	default:
	}
}

// unread is an event whose key nobody has.
func unread(t *testing.T) *event.Event {
	t.Helper()
	sender, err := group.NewSender(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, message, err := sender.Encrypt([]byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	e := &event.Event{Type: event.EventEncrypted, ID: "$unread", RoomID: "!room:example.org", Sender: carol}
	e.Content.VeryRaw = fmt.Appendf(nil, `{"algorithm":"m.megolm.v1.aes-sha2","session_id":%q,"ciphertext":%q}`, sender.ID().String(), base64.RawStdEncoding.EncodeToString(message))
	return e
}

// A bridge that gets transactions syncs after its start, after a transaction that it
// refused, after one that came again and for an event without a key: until a transaction
// has to-device events for it in it, and from then on once more, and again while syncs
// have some.
func TestCatchUp(t *testing.T) {
	w := newWorld(t)
	var away atomic.Bool
	w.openStore(&away)
	started := w.start().crypto().running()
	client, err := mautrix.NewClient("http://homeserver", bridgeBot, "token")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{TB: t, asked: make(chan url.Values), answers: make(chan string)}
	client.DeviceID, client.Client = started.client.DeviceID, &http.Client{Transport: s}
	run := &running{client: client, helper: started.helper, missed: newCatchUp()}
	run.ctx, run.cancel = context.WithCancel(t.Context())
	c := &bridgeCrypto{log: w.log, now: run, began: make(chan struct{})}
	close(c.began)
	run.ended.Go(func() { c.follow(run) })
	t.Cleanup(func() { run.cancel(); run.ended.Wait() })

	letterTo := func(device id.DeviceID) string {
		return fmt.Sprintf(`{"events":[],"de.sorunome.msc2409.to_device":[{"type":"org.example.one","sender":%q,"to_user_id":%q,"to_device_id":%q,"content":{}}]}`, carol, bridgeBot, device)
	}
	none, letter, others := `{"events":[]}`, letterTo(client.DeviceID), letterTo("ANOTHER")
	take := func(name, body string) {
		t.Helper()
		if err := c.transaction(t.Context(), name, []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	lacks := func() {
		t.Helper()
		if _, err := c.Decrypt(t.Context(), unread(t)); !errors.Is(err, crypto.ErrNoSessionFound) {
			t.Fatal(err)
		}
	}

	s.asks("at the start", "", false)
	s.answer(1, "s1")
	s.asks("after the first sync", "s1", true)
	take("1", none)
	s.answer(0, "s2")
	s.asks("after a transaction without to-device events", "s2", true)
	take("2", others)
	s.answer(0, "s3")
	s.asks("after one with another device's", "s3", true)
	take("3", letter)
	s.answer(0, "s4")
	s.asks("once more, as the last may have been answered before", "s4", false)
	s.answer(1, "s5")
	s.asks("while syncs have to-device events", "s5", false)
	s.answer(0, "s6")
	s.rests("after the start", run.missed)
	take("4", none)
	take("5", letter)
	s.rests("while transactions come", run.missed)

	away.Store(true)
	if err := c.transaction(t.Context(), "6", []byte(letter)); err == nil {
		t.Fatal("a transaction was taken while the store is away")
	}
	away.Store(false)
	s.asks("after a refusal", "s6", true)
	take("6", letter)
	s.answer(0, "s7")
	s.asks("once more after a refusal", "s7", false)
	s.answer(0, "s8")
	s.rests("after a refusal", run.missed)

	take("6", letter)
	s.asks("after a transaction that came again", "s8", true)
	take("7", letter)
	s.answer(0, "s9")
	s.asks("once more after it", "s9", false)
	s.answer(0, "s10")
	s.rests("after a transaction that came again", run.missed)

	lacks()
	s.asks("for an event without a key", "s10", true)
	take("8", letter)
	s.answer(0, "s11")
	s.asks("once more for it", "s11", false)
	lacks()
	s.answer(0, "s12")
	s.asks("for another one meanwhile", "s12", true)
	s.answers <- ""
	s.asks("after a sync that failed", "s12", true)
	take("9", letter)
	s.answer(0, "s13")
	s.asks("once more at the end", "s13", false)
	s.answer(0, "s14")
	s.rests("for events without keys", run.missed)
}
