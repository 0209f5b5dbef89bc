package oracle

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/hs"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/ratchet"
)

var (
	phone  = Device{"@alice:example.org", "PHONE"}
	laptop = Device{"@bob:example.org", "LAPTOP"}
	eve    = Device{"@eve:example.org", "TABLET"}
)

// script makes up what a server saw.
type script struct {
	t *testing.T
	Life
}

func (s *script) saw(by Device, endpoint, path string, body any) *hs.Exchange {
	s.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		s.t.Fatal(err)
	}
	s.Exchanges = append(s.Exchanges, hs.Exchange{
		Number: len(s.Exchanges) + 1, Endpoint: endpoint, Path: "/_matrix/client/v3/" + path,
		User: by.User, Device: by.ID, Request: text, Status: http.StatusOK,
	})
	return &s.Exchanges[len(s.Exchanges)-1]
}

func (s *script) sends(by Device, txn string, session group.SessionID, text []byte) {
	s.saw(by, "send", "rooms/!r/send/m.room.encrypted/"+txn, map[string]any{
		"session_id": unpadded.Encode(session[:]), "ciphertext": unpadded.Encode(text),
	})
}

func (s *script) posts(by, to Device, m ratchet.Message) {
	content := map[string]any{"ciphertext": map[string]any{"key": map[string]any{"type": m.Type, "body": unpadded.Encode(m.Body)}}}
	s.saw(by, "sendToDevice", fmt.Sprint("sendToDevice/m.room.encrypted/", len(s.Exchanges)), map[string]any{
		"messages": map[string]any{string(to.User): map[string]any{string(to.ID): content}},
	})
}

func (s *script) uploads(by Device, keys map[string]ratchet.KeyPair, fallback ...ratchet.KeyPair) *hs.Exchange {
	body := map[string]map[string]any{"one_time_keys": {}, "fallback_keys": {}}
	for id, k := range keys {
		body["one_time_keys"]["signed_curve25519:"+id] = map[string]any{"key": unpadded.Encode(public(k))}
	}
	for i, k := range fallback {
		body["fallback_keys"][fmt.Sprint("signed_curve25519:F", i)] = map[string]any{"key": unpadded.Encode(public(k))}
	}
	return s.saw(by, "keys/upload", "keys/upload", body)
}

// syncs goes on from a token to another, and brings messages.
func (s *script) syncs(by Device, since, next string, messages ...ratchet.Message) *hs.Exchange {
	events := []any{}
	for _, m := range messages {
		content := map[string]any{"ciphertext": map[string]any{"key": map[string]any{"type": m.Type, "body": unpadded.Encode(m.Body)}}}
		events = append(events, map[string]any{"type": "m.room.encrypted", "sender": laptop.User, "content": content})
	}
	e := s.saw(by, "sync", "sync?since="+since, nil)
	e.Answer, _ = json.Marshal(map[string]any{"next_batch": next, "to_device": map[string]any{"events": events}})
	return e
}

func public(k ratchet.KeyPair) []byte { p := k.Public(); return p[:] }

// cast are keys and sessions that a script may use.
type cast struct {
	first, second, fallback, identity ratchet.KeyPair
	olm                               ratchet.Session
	room                              group.Sender
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newCast() cast {
	pair := func() ratchet.KeyPair { return must(ratchet.GenerateKeyPair(rand.Reader)) }
	c := cast{pair(), pair(), pair(), pair(), ratchet.Session{}, must(group.NewSender(rand.Reader))}
	c.olm = c.opens(c.first)
	return c
}

// opens is a session of somebody else's with a key of ours.
func (c cast) opens(with ratchet.KeyPair) ratchet.Session {
	return must(ratchet.NewOutbound(rand.Reader, c.identity, with.Public(), with.Public()))
}

func says(s ratchet.Session, text string) ratchet.Message {
	_, m, err := s.Encrypt(rand.Reader, []byte(text))
	return must(m, err)
}

func writes(s group.Sender, text string) []byte {
	_, m, err := s.Encrypt([]byte(text))
	return must(m, err)
}

// quiet is a life in which all is well, with all that may look like something else.
func quiet(t *testing.T) (*script, cast) {
	s, c := &script{t: t, Life: Life{Ours: []Device{phone}}}, newCast()
	s.uploads(phone, map[string]ratchet.KeyPair{"A": c.first}).Status = http.StatusTooManyRequests
	s.uploads(phone, map[string]ratchet.KeyPair{"A": c.first}, c.fallback)
	s.uploads(phone, map[string]ratchet.KeyPair{"B": c.second}, c.fallback).Lost = true
	hello := writes(c.room, "hello")
	s.sends(phone, "1", c.room.ID(), hello)
	s.sends(phone, "1", c.room.ID(), hello) // its answer was lost
	next, _, err := c.room.Encrypt([]byte("hello"))
	s.sends(phone, "2", c.room.ID(), writes(must(next, err), "hello"))
	s.posts(laptop, phone, says(c.olm, "one"))
	s.posts(laptop, phone, says(c.olm, "two")) // others may do what they like
	s.posts(laptop, phone, says(c.opens(c.fallback), "three"))
	s.posts(eve, phone, says(c.opens(c.fallback), "four"))
	s.syncs(phone, "1", "2", says(c.opens(c.first), "one"), says(c.opens(c.fallback), "three"))
	s.uploads(phone, nil, c.fallback) // it is not known that the answer came
	key := says(c.opens(c.identity), "room key")
	s.posts(phone, laptop, key)
	s.posts(phone, laptop, key)
	s.saw(phone, "sendToDevice", "sendToDevice/m.room_key_request/9", map[string]any{})
	s.Sent = []Message{{"$1", phone.User, "hello", []Device{laptop, eve}}, {"$2", laptop.User, "", []Device{phone}}}
	s.Seen = []Sight{
		{laptop, "$1", phone.User, "hello", true}, {laptop, "$1", phone.User, "hello", true}, {eve, "$1", phone.User, "hello", true},
		{phone, "$2", laptop.User, "whatever", true},
	}
	return s, c
}

func TestNothingIsBrokenWhereAllIsWell(t *testing.T) {
	s, _ := quiet(t)
	if broken := Judge(s.Life); len(broken) > 0 {
		t.Errorf("%q", broken)
	}
}

func TestEachRuleIsSeenBroken(t *testing.T) {
	for name, c := range map[string]struct {
		does func(*script, cast)
		want string
	}{
		"an index for two texts":  {func(s *script, c cast) { s.sends(phone, "1", c.room.ID(), writes(c.room, "other")) }, "has two ciphertexts"},
		"an index for two events": {func(s *script, c cast) { s.sends(phone, "3", c.room.ID(), writes(c.room, "hello")) }, "is in two events"},
		"an index that a lost request had": {func(s *script, c cast) {
			s.Exchanges[3].Status = 0
			s.sends(phone, "1", c.room.ID(), writes(c.room, "other"))
		}, "has two ciphertexts"},
		"a text that is none":         {func(s *script, c cast) { s.sends(phone, "4", c.room.ID(), []byte("text")) }, "not a Megolm message"},
		"a message key for two":       {func(s *script, c cast) { s.posts(phone, eve, says(c.olm, "a")); s.posts(phone, eve, says(c.olm, "b")) }, "has two ciphertexts"},
		"a message that is none":      {func(s *script, _ cast) { s.posts(phone, eve, ratchet.Message{Type: 1, Body: []byte("x")}) }, "not an Olm message"},
		"a request that is none":      {func(s *script, _ cast) { s.saw(phone, "sendToDevice", "sendToDevice/m.room.encrypted/5", 5) }, "not an Olm message"},
		"a key in two uploads":        {func(s *script, c cast) { s.uploads(phone, map[string]ratchet.KeyPair{"C": c.first}) }, "is in two uploads: requests 2 and "},
		"a key whose upload was lost": {func(s *script, c cast) { s.uploads(phone, map[string]ratchet.KeyPair{"B": c.second}) }, "is in two uploads: requests 3 and "},
		"a key whose upload failed": {func(s *script, c cast) {
			s.Exchanges[2].Lost, s.Exchanges[2].Status = false, http.StatusGatewayTimeout
			s.uploads(phone, map[string]ratchet.KeyPair{"B": c.second})
		}, "is in two uploads"},
		"an id for two keys":     {func(s *script, c cast) { s.uploads(phone, map[string]ratchet.KeyPair{"A": c.identity}) }, "names another key before"},
		"a key for two sessions": {func(s *script, c cast) { s.posts(eve, phone, says(c.opens(c.first), "five")) }, "opens a second session"},
		"a used fallback key": {func(s *script, c cast) {
			s.syncs(phone, "2", "3")
			s.uploads(phone, nil, c.fallback)
		}, "a fallback key is uploaded again that was known to be used at request 16"},
		"a message in the clear":     {func(s *script, _ cast) { s.saw(phone, "send", "rooms/!r/send/m.room.message/7", map[string]any{}) }, "m.room.message in the clear"},
		"a room key in the clear":    {func(s *script, _ cast) { s.saw(phone, "sendToDevice", "sendToDevice/m.room_key/8", map[string]any{}) }, "m.room_key in the clear"},
		"a message nobody read":      {func(s *script, _ cast) { s.Seen = s.Seen[1:]; s.Seen = s.Seen[1:] }, "never read $1"},
		"one that we never read":     {func(s *script, _ cast) { s.Seen = s.Seen[:3] }, "PHONE of @alice:example.org never read $2"},
		"one read as another":        {func(s *script, _ cast) { s.Seen[0].Body = "other" }, "read $1 as \"other\""},
		"one of somebody else":       {func(s *script, _ cast) { s.Seen[0].Sender = eve.User }, "of @eve:example.org: it is"},
		"one that was not sent":      {func(s *script, _ cast) { s.Seen[0].Event = "$3" }, "which nobody sent"},
		"one that was not encrypted": {func(s *script, _ cast) { s.Seen[0].Encrypted = false }, "in the clear"},
	} {
		t.Run(name, func(t *testing.T) {
			s, actors := quiet(t)
			c.does(s, actors)
			broken := Judge(s.Life)
			if !slices.ContainsFunc(broken, func(b string) bool { return strings.Contains(b, c.want) }) {
				t.Errorf("the oracle says %q, and not %q", broken, c.want)
			}
		})
	}
}

// What others do is not judged.
func TestOthersAreTheControl(t *testing.T) {
	s, c := quiet(t)
	s.sends(eve, "1", c.room.ID(), writes(c.room, "other"))
	s.sends(eve, "2", c.room.ID(), writes(c.room, "another"))
	s.uploads(eve, map[string]ratchet.KeyPair{"A": c.identity})
	s.uploads(eve, map[string]ratchet.KeyPair{"A": c.identity})
	if broken := Judge(s.Life); len(broken) > 0 {
		t.Errorf("%q", broken)
	}
}
