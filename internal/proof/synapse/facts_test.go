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

var (
	where    = flag.String("synapse", "", "the virtual environment that has Synapse")
	dendrite = flag.String("dendrite", "", "the program of Dendrite")
)

// TestFacts asks one Synapse, as two users of each fact who have a device each.
func TestFacts(t *testing.T) {
	if *where == "" {
		t.Skip("without Synapse: run make e2e")
	}
	s := Start(t, *where, "example.org")
	for name, holds := range map[string]func(t *testing.T, s *Server, a, b *client){
		"uploads are taken whole or not":           uploadsAreTakenWholeOrNot,
		"claimed keys are taken again":             claimedKeysAreTakenAgain,
		"claims are in upload order":               claimsAreInUploadOrder,
		"a fallback key is unused again":           fallbackKeyIsUnusedAgain,
		"a fallback key in canonical order is not": canonicalFallbackKeyIsNot,
		"letters come again until a newer token":   lettersComeAgainUntilANewerToken,
		"one letter of a type to a device":         oneLetterOfAType,
		"transactions are forgotten by a restart":  transactionsAreForgottenByARestart,
		"a missing count is zero":                  missingCountIsZero,
		"a device has five hundred keys":           fiveHundredKeys,
	} {
		t.Run(name, func(t *testing.T) {
			users++
			holds(t, s, enter(t, s, "alice"), enter(t, s, "bob"))
		})
	}
}

// TestFactsOfDendrite: its refusals have no code, and other words. Nothing of Pawl's may
// go by one server's.
func TestFactsOfDendrite(t *testing.T) {
	if *dendrite == "" {
		t.Skip("without Dendrite: run make e2e-long")
	}
	users++
	s := StartDendrite(t, *dendrite, "example.org")
	a, b := enter(t, s, "alice"), enter(t, s, "bob")
	if status, o := a.uploads(object{"signed_curve25519:A": key("1")}); status != http.StatusOK {
		t.Fatal(o)
	}
	status, o := a.uploads(object{"signed_curve25519:A": key("2")})
	if _, coded := o["errcode"]; coded || status != http.StatusBadRequest || !strings.Contains(fmt.Sprint(o), "one-time key already exists") {
		t.Errorf("an id with another key: %d %v", status, o)
	}
	// It has taken what it refused. Who goes by "refused is not taken" would have a key
	// opened that it has forgotten.
	if id, of := b.claims(a); id != "signed_curve25519:A" || of != "2" {
		t.Errorf("claimed %s %s, want the key that was refused", id, of)
	}
}

// users counts the facts, each of which has its own.
var users int

// client is a device that asks through the proxy.
type client struct {
	t     *testing.T
	s     *Server
	user  matrix.UserID
	token string
	syncs int
}

// device is what each client's is called.
const device = "PHONE"

func enter(t *testing.T, s *Server, name string) *client {
	t.Helper()
	user := matrix.UserID(fmt.Sprintf("@%s%d:example.org", name, users))
	s.AddUser(user, "secret")
	return &client{t, s, user, s.Login(user, device), 0}
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

// claims takes a one-time key of somebody's, and returns its id and itself.
func (c *client) claims(from *client) (id, of string) {
	c.t.Helper()
	o := c.gets("POST", "keys/claim", object{"one_time_keys": object{string(from.user): object{device: "signed_curve25519"}}})
	for id, k := range at(o, "one_time_keys", string(from.user), device) {
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

func uploadsAreTakenWholeOrNot(t *testing.T, s *Server, a, _ *client) {
	if status, o := a.uploads(object{"signed_curve25519:A": key("1")}); status != http.StatusOK {
		t.Fatal(o)
	}
	status, o := a.uploads(object{"signed_curve25519:A": key("2"), "signed_curve25519:B": key("3")})
	if status != http.StatusBadRequest || o["errcode"] != "M_UNKNOWN" || !strings.Contains(fmt.Sprint(o["error"]), "already exists") {
		t.Errorf("an id with another key: %d %v", status, o)
	}
	if n := s.KeyCount(a.user, device); n != 1 {
		t.Errorf("it has %d keys, want 1: nothing of a refused upload", n)
	}
	if status, o := a.uploads(object{"signed_curve25519:A": key("1")}); status != http.StatusOK {
		t.Errorf("the same key again: %d %v", status, o)
	}
}

func claimedKeysAreTakenAgain(t *testing.T, _ *Server, a, b *client) {
	for _, of := range []string{"1", "1", "2"} { // the same key, and another under its id
		if status, o := a.uploads(object{"signed_curve25519:A": key(of)}); status != http.StatusOK {
			t.Fatalf("after its claim: %d %v", status, o)
		}
		if id, got := b.claims(a); id != "signed_curve25519:A" || got != of {
			t.Errorf("claimed %s %s, want key %s again", id, got, of)
		}
	}
}

func claimsAreInUploadOrder(t *testing.T, _ *Server, a, b *client) {
	want := []string{"D", "B", "C", "A"}
	for _, id := range want {
		a.uploads(object{"signed_curve25519:" + id: key(id)})
		time.Sleep(2 * time.Millisecond) // its order is by milliseconds
	}
	var got []string
	for range want {
		_, k := b.claims(a)
		got = append(got, k)
	}
	if !slices.Equal(got, want) {
		t.Errorf("claimed %v, want %v", got, want)
	}
}

// A used fallback key that is uploaded again is unused again, unless its members are in
// the order of canonical JSON: Synapse compares that with what it was sent.
func fallbackKeyIsUnusedAgain(t *testing.T, _ *Server, a, b *client) {
	fallsBack(t, a, b, `{"key":"f","fallback":true,"signatures":{}}`, "[signed_curve25519]")
}

func canonicalFallbackKeyIsNot(t *testing.T, _ *Server, a, b *client) {
	fallsBack(t, a, b, `{"fallback":true,"key":"f","signatures":{}}`, "[]")
}

// fallsBack uploads a fallback key, claims it, and uploads it again.
func fallsBack(t *testing.T, a, b *client, text, again string) {
	t.Helper()
	unused := func(when, want string) {
		t.Helper()
		if got := fmt.Sprint(a.sync("")["device_unused_fallback_key_types"]); got != want {
			t.Errorf("%s: unused are %s, want %s", when, got, want)
		}
	}
	upload := func() {
		a.gets("POST", "keys/upload", object{"fallback_keys": object{"signed_curve25519:F": json.RawMessage(text)}})
	}
	upload()
	unused("uploaded", "[signed_curve25519]")
	for range 2 { // as often as anybody likes
		if _, k := b.claims(a); k != "f" {
			t.Errorf("claimed %q", k)
		}
	}
	unused("claimed", "[]")
	upload()
	unused("uploaded again", again)
}

// letters are the to-device events of a sync.
func (c *client) letters(since string) (events []any, next string) {
	c.t.Helper()
	o := c.sync(since)
	events, _ = at(o, "to_device")["events"].([]any)
	return events, o["next_batch"].(string)
}

func (c *client) writes(to *client, txn string) {
	c.t.Helper()
	c.gets("PUT", "sendToDevice/test/"+txn, object{"messages": object{string(to.user): object{device: object{"txn": txn}}}})
}

// A request has room for one message to a device: whoever has two writes two requests.
// What is in it twice is there once, the last of the two.
func oneLetterOfAType(t *testing.T, _ *Server, a, b *client) {
	_, begin := a.letters("")
	twice := fmt.Sprintf(`{"messages":{"%s":{"PHONE":{"n":1},"PHONE":{"n":2}}}}`, a.user)
	b.gets("PUT", "sendToDevice/test/1", json.RawMessage(twice))
	got, _ := a.letters(begin)
	if len(got) != 1 || fmt.Sprint(at(got[0].(object), "content")) != "map[n:2]" {
		t.Errorf("two messages in one request came as %v, want the second", got)
	}
}

func lettersComeAgainUntilANewerToken(t *testing.T, _ *Server, a, b *client) {
	_, begin := a.letters("")
	for i := range 150 {
		b.writes(a, fmt.Sprint(i))
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

func transactionsAreForgottenByARestart(t *testing.T, s *Server, a, b *client) {
	_, begin := a.letters("")
	b.writes(a, "1")
	b.writes(a, "1")
	if got, _ := a.letters(begin); len(got) != 1 {
		t.Errorf("%d events of one transaction", len(got))
	}
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	b.writes(a, "1")
	if got, _ := a.letters(begin); len(got) != 2 {
		t.Errorf("%d events after a restart, want 2", len(got))
	}
}

func missingCountIsZero(t *testing.T, _ *Server, a, b *client) {
	a.uploads(object{"signed_curve25519:A": key("1")})
	count := func() any {
		return at(a.sync(""), "device_one_time_keys_count")["signed_curve25519"]
	}
	if got := count(); got != 1.0 {
		t.Errorf("the count is %v, want 1", got)
	}
	b.claims(a)
	if got := count(); got != nil && got != 0.0 {
		t.Errorf("the count is %v, want none or 0", got)
	}
}

// A device holds at most 500 one-time keys: who uploads without looking is refused.
func fiveHundredKeys(t *testing.T, _ *Server, a, _ *client) {
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
