package synapse

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/matrix"
)

// What Pawl believes of Synapse, so that a Synapse that changes is noticed.

var where = flag.String("synapse", "", "the virtual environment that has Synapse")

const (
	alice = matrix.UserID("@alice:example.org")
	bob   = matrix.UserID("@bob:example.org")
)

// started is a Synapse with two users who have a device each.
func started(t *testing.T) (s *Server, a, b *client) {
	t.Helper()
	if *where == "" {
		t.Skip("without Synapse: run make e2e")
	}
	s = Start(t, *where, "example.org")
	s.AddUser(alice, "secret")
	s.AddUser(bob, "secret")
	return s, &client{t, s, s.Login(alice, "PHONE"), 0}, &client{t, s, s.Login(bob, "LAPTOP"), 0}
}

// client is a device that asks through the proxy.
type client struct {
	t     *testing.T
	s     *Server
	token string
	syncs int
}

// sync is one that was not asked for before: Synapse gives an answer again, for two
// minutes, to who asks in the same words.
func (c *client) sync(since string) object {
	c.t.Helper()
	c.syncs++
	path := fmt.Sprintf("sync?timeout=%d", c.syncs) // milliseconds, and other words
	if since != "" {
		path += "&since=" + since
	}
	return c.gets("GET", path, nil)
}

func (c *client) asks(method, path string, body any) (int, object) {
	c.t.Helper()
	status, o, err := hs.Ask(c.t.Context(), c.token, method, c.s.URL()+"/_matrix/client/v3/"+path, body)
	if err != nil {
		c.t.Fatal(err)
	}
	return status, o
}

func (c *client) gets(method, path string, body any) object {
	c.t.Helper()
	status, o := c.asks(method, path, body)
	if status != http.StatusOK {
		c.t.Fatalf("%s %s: %d %v", method, path, status, o)
	}
	return o
}

func key(of string) object { return object{"key": of, "signatures": object{}} }

func (c *client) uploads(keys object) (int, object) {
	c.t.Helper()
	return c.asks("POST", "keys/upload", object{"one_time_keys": keys})
}

// claims takes a one-time key of alice's phone, and returns its id and itself.
func (c *client) claims() (id, of string) {
	c.t.Helper()
	o := c.gets("POST", "keys/claim", object{"one_time_keys": object{string(alice): object{"PHONE": "signed_curve25519"}}})
	for id, k := range at(o, "one_time_keys", string(alice), "PHONE") {
		return id, fmt.Sprint(k.(object)["key"])
	}
	return "", ""
}

// at follows keys into an answer; what is not there is empty.
func at(o object, names ...string) object {
	for _, name := range names {
		o, _ = o[name].(object)
	}
	return o
}

func TestUploadsAreTakenWholeOrNot(t *testing.T) {
	s, a, _ := started(t)
	if status, o := a.uploads(object{"signed_curve25519:A": key("1")}); status != http.StatusOK {
		t.Fatal(o)
	}
	status, o := a.uploads(object{"signed_curve25519:A": key("2"), "signed_curve25519:B": key("3")})
	if status != http.StatusBadRequest || o["errcode"] != "M_UNKNOWN" || !strings.Contains(fmt.Sprint(o["error"]), "already exists") {
		t.Errorf("an id with another key: %d %v", status, o)
	}
	if n := s.KeyCount(alice, "PHONE"); n != 1 {
		t.Errorf("it has %d keys, want 1: nothing of a refused upload", n)
	}
	if status, o := a.uploads(object{"signed_curve25519:A": key("1")}); status != http.StatusOK {
		t.Errorf("the same key again: %d %v", status, o)
	}
}

func TestClaimedKeysAreTakenAgain(t *testing.T) {
	_, a, b := started(t)
	for _, of := range []string{"1", "1", "2"} { // the same key, and another under its id
		if status, o := a.uploads(object{"signed_curve25519:A": key(of)}); status != http.StatusOK {
			t.Fatalf("after its claim: %d %v", status, o)
		}
		if id, got := b.claims(); id != "signed_curve25519:A" || got != of {
			t.Errorf("claimed %s %s, want key %s again", id, got, of)
		}
	}
}

func TestClaimsAreInUploadOrder(t *testing.T) {
	_, a, b := started(t)
	want := []string{"D", "B", "C", "A"}
	for _, id := range want {
		a.uploads(object{"signed_curve25519:" + id: key(id)})
		time.Sleep(2 * time.Millisecond) // its order is by milliseconds
	}
	var got []string
	for range want {
		_, k := b.claims()
		got = append(got, k)
	}
	if !slices.Equal(got, want) {
		t.Errorf("claimed %v, want %v", got, want)
	}
}

// A used fallback key that is uploaded again is unused again, unless its members are in
// the order of canonical JSON: Synapse compares that with what it was sent.
func TestFallbackKeyIsUnusedAgain(t *testing.T) {
	for text, again := range map[string]string{
		`{"key":"f","fallback":true,"signatures":{}}`: "[signed_curve25519]",
		`{"fallback":true,"key":"f","signatures":{}}`: "[]",
	} {
		_, a, b := started(t)
		unused := func(when, want string) {
			t.Helper()
			if got := fmt.Sprint(a.sync("")["device_unused_fallback_key_types"]); got != want {
				t.Errorf("%s, %s: unused are %s, want %s", text, when, got, want)
			}
		}
		upload := func() {
			a.gets("POST", "keys/upload", object{"fallback_keys": object{"signed_curve25519:F": json.RawMessage(text)}})
		}
		upload()
		unused("uploaded", "[signed_curve25519]")
		for range 2 { // as often as anybody likes
			if _, k := b.claims(); k != "f" {
				t.Errorf("claimed %q", k)
			}
		}
		unused("claimed", "[]")
		upload()
		unused("uploaded again", again)
	}
}

// letters are the to-device events of a sync.
func (c *client) letters(since string) (events []any, next string) {
	c.t.Helper()
	o := c.sync(since)
	events, _ = at(o, "to_device")["events"].([]any)
	return events, o["next_batch"].(string)
}

func (c *client) writes(txn string) {
	c.t.Helper()
	c.gets("PUT", "sendToDevice/test/"+txn, object{"messages": object{string(alice): object{"PHONE": object{"txn": txn}}}})
}

func TestLettersComeAgainUntilANewerToken(t *testing.T) {
	_, a, b := started(t)
	_, begin := a.letters("")
	for i := range 150 {
		b.writes(fmt.Sprint(i))
	}
	first, next := a.letters(begin)
	again, _ := a.letters(begin)
	if len(first) != 100 || len(again) != 100 {
		t.Errorf("%d events, and %d when asked again: want 100 a response", len(first), len(again))
	}
	if rest, _ := a.letters(next); len(rest) != 50 {
		t.Errorf("%d events are left, want 50", len(rest))
	}
	if gone, _ := a.letters(begin); len(gone) != 50 {
		t.Errorf("%d events behind the old token, want the 50 that were not confirmed", len(gone))
	}
}

func TestTransactionsAreForgottenByARestart(t *testing.T) {
	s, a, b := started(t)
	_, begin := a.letters("")
	b.writes("1")
	b.writes("1")
	if got, _ := a.letters(begin); len(got) != 1 {
		t.Errorf("%d events of one transaction", len(got))
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	b.writes("1")
	if got, _ := a.letters(begin); len(got) != 2 {
		t.Errorf("%d events after a restart, want 2", len(got))
	}
}

func TestMissingCountIsZero(t *testing.T) {
	_, a, b := started(t)
	a.uploads(object{"signed_curve25519:A": key("1")})
	count := func() any {
		return at(a.sync(""), "device_one_time_keys_count")["signed_curve25519"]
	}
	if got := count(); got != 1.0 {
		t.Errorf("the count is %v, want 1", got)
	}
	b.claims()
	if got := count(); got != nil && got != 0.0 {
		t.Errorf("the count is %v, want none or 0", got)
	}
}

// A device holds at most 500 one-time keys: who uploads without looking is refused.
func TestFiveHundredKeys(t *testing.T) {
	_, a, _ := started(t)
	for i := range 10 {
		keys := object{}
		for j := range 50 {
			keys[fmt.Sprintf("signed_curve25519:%d", 50*i+j)] = key(fmt.Sprint(i, j))
		}
		if status, o := a.uploads(keys); status != http.StatusOK {
			t.Fatalf("upload %d: %d %v", i, status, o)
		}
	}
	if status, o := a.uploads(object{"signed_curve25519:X": key("x")}); status != http.StatusBadRequest || o["errcode"] != "M_TOO_LARGE" {
		t.Errorf("the 501st: %d %v", status, o)
	}
}
