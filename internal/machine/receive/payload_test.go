package receive

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
)

// said is a plaintext as a device of Bob's writes it for Alice.
type said struct {
	alice, bob account.Account
	keys       map[string]any // sender_device_keys
	e          expected
}

func newSaid(t *testing.T) said {
	t.Helper()
	s := said{alice: newIdentity(t, "@alice:example.org", "PHONE"), bob: newIdentity(t, "@bob:example.org", "LAPTOP")}
	s.keys = deviceKeys(t, s.bob)
	ed := s.bob.Fingerprint()
	s.e = expected{sender: "@bob:example.org", senderKey: s.bob.Identity(), own: "@alice:example.org", ownKey: s.alice.Fingerprint(), known: &ed}
	return s
}

func newIdentity(t *testing.T, user matrix.UserID, id matrix.DeviceID) account.Account {
	t.Helper()
	a, err := account.New(rand.Reader, user, id, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// deviceKeys are the signed keys of a device, as in an upload.
func deviceKeys(t testing.TB, a account.Account) (keys map[string]any) {
	t.Helper()
	body, err := a.UploadBody(true, nil, otk.Fallback{})
	if err != nil {
		t.Fatal(err)
	}
	var upload struct {
		Keys map[string]any `json:"device_keys"`
	}
	if err := json.Unmarshal(body, &upload); err != nil {
		t.Fatal(err)
	}
	return upload.Keys
}

// whole is what it says when nothing is wrong.
func (s said) whole() map[string]any {
	return map[string]any{
		"type": "m.room_key", "content": map[string]any{"room_id": "!r"},
		"sender": "@bob:example.org", "recipient": "@alice:example.org",
		"recipient_keys":     map[string]any{"ed25519": s.alice.Fingerprint().String()},
		"keys":               map[string]any{"ed25519": s.bob.Fingerprint().String()},
		"sender_device_keys": s.keys,
	}
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPayload: each field missing, of another type, and another than it must be.
func TestPayload(t *testing.T) {
	s := newSaid(t)
	other := newIdentity(t, "@bob:example.org", "LAPTOP")
	key := func(v account.VerifyKey) map[string]any { return map[string]any{"ed25519": v.String()} }
	edited := func(name string, v any) map[string]any {
		m := maps.Clone(s.keys)
		m[name] = v
		return m
	}
	fields := []struct {
		name     string
		field    string // in the error
		wrong    []any
		optional bool
	}{
		{name: "type", field: "type", wrong: []any{""}},
		{name: "content", field: "content"},
		{name: "sender", field: "sender", wrong: []any{"@mallory:example.org", "", "@Bob:example.org"}},
		{name: "recipient", field: "recipient", wrong: []any{"@bob:example.org", ""}},
		{name: "recipient_keys", field: "recipient_keys.ed25519", wrong: []any{
			map[string]any{}, key(s.bob.Fingerprint()), map[string]any{"ed25519": "AAAA"}, map[string]any{"ed25519": 7},
			map[string]any{"Ed25519": s.alice.Fingerprint().String()},
		}},
		{name: "keys", field: "keys.ed25519", wrong: []any{
			map[string]any{}, key(other.Fingerprint()), map[string]any{"ed25519": "%"}, map[string]any{"ed25519": nil},
		}},
		{name: "sender_device_keys", field: "sender_device_keys", optional: true, wrong: []any{
			map[string]any{}, edited("user_id", "@mallory:example.org"), edited("device_id", "TABLET"), edited("device_id", 7),
			edited("algorithms", []any{"m.other"}), edited("signatures", map[string]any{}), edited("keys", map[string]any{}),
			deviceKeys(t, other), deviceKeys(t, newIdentity(t, "@mallory:example.org", "LAPTOP")),
		}},
	}
	for _, f := range fields {
		types := []any{nil, true, 7, "text", []any{}, map[string]any{}}
		for n, v := range append(types, f.wrong...) {
			said := s.whole()
			if said[f.name] = v; n < len(types) && sameType(v, s.whole()[f.name]) {
				continue
			}
			t.Run(f.name, func(t *testing.T) { s.fails(t, encode(t, said), f.field, f.optional && v == nil) })
		}
		said := s.whole()
		delete(said, f.name)
		t.Run(f.name+" is missing", func(t *testing.T) { s.fails(t, encode(t, said), f.field, f.optional) })
		said = s.whole()
		said[string(bytes.ToUpper([]byte(f.name[:1])))+f.name[1:]] = said[f.name]
		delete(said, f.name)
		t.Run(f.name+" has another name", func(t *testing.T) { s.fails(t, encode(t, said), f.field, f.optional) })
	}
	for _, raw := range []string{"", "null", "[]", "7", "{", `{"type":"m.room_key"} {}`, "\xff"} {
		s.fails(t, []byte(raw), "payload", false)
	}
	s.fails(t, encode(t, s.whole()), "", true)
}

func sameType(a, b any) bool {
	switch a.(type) {
	case string:
		_, same := b.(string)
		return same
	case map[string]any:
		_, same := b.(map[string]any)
		return same
	}
	return false
}

// fails checks that a plaintext is refused because of a field, or that it is not
// refused.
func (s said) fails(t *testing.T, plaintext []byte, field string, passes bool) {
	t.Helper()
	p, err := checkPayload(plaintext, s.e)
	// What earlier events proved changes no answer.
	later := s.e
	later.proofs = newProofs()
	for range 2 {
		if _, err := checkPayload(encode(t, s.whole()), later); err != nil && later.senderKey == s.bob.Identity() {
			t.Errorf("the first event: %v", err)
		}
		if again, errAgain := checkPayload(plaintext, later); !reflect.DeepEqual(again, p) || fmt.Sprint(errAgain) != fmt.Sprint(err) {
			t.Errorf("%s after others: %+v, %v; alone: %+v, %v", plaintext, again, errAgain, p, err)
		}
	}
	var failed *PayloadError
	base, _, _ := strings.Cut(field, ".")
	switch {
	case passes:
		if err != nil || p.kind != "m.room_key" || string(p.content) != `{"room_id":"!r"}` || p.ed25519 != s.bob.Fingerprint() {
			t.Errorf("%s: %+v, %v", plaintext, p, err)
		}
	case !errors.Is(err, ErrPayload) || !errors.As(err, &failed):
		t.Errorf("%s: %v, want ErrPayload", plaintext, err)
	case failed.Field != field && failed.Field != base && !strings.HasPrefix(failed.Field, base+"."):
		t.Errorf("%s: %v, want one about %s", plaintext, err, field)
	case p.kind != "" || p.content != nil || p.device != nil:
		t.Errorf("%s: what it says is told: %+v", plaintext, p)
	}
}

// TestPayloadDevice: what proves the device that sent an event.
func TestPayloadDevice(t *testing.T) {
	s := newSaid(t)
	p, err := checkPayload(encode(t, s.whole()), s.e)
	want := device.Name{User: "@bob:example.org", Device: "LAPTOP"}
	if err != nil || p.device == nil || p.device.Name != want || p.device.Curve25519 != s.bob.Identity() {
		t.Fatalf("%+v, %v", p.device, err)
	}
	// A device that is not known yet may name any key of its own, once.
	unknown := s
	unknown.e.known = nil
	said := s.whole()
	delete(said, "sender_device_keys")
	if p, err := checkPayload(encode(t, said), unknown.e); err != nil || p.device != nil {
		t.Errorf("%+v, %v", p.device, err)
	}
	// The keys of the event are not those that sender_device_keys prove.
	said = s.whole()
	said["keys"] = map[string]any{"ed25519": newIdentity(t, "@bob:example.org", "X").Fingerprint().String()}
	unknown.fails(t, encode(t, said), "sender_device_keys.keys.ed25519", false)
	// It came from another Curve25519 key.
	s.e.senderKey = s.alice.Identity()
	s.fails(t, encode(t, s.whole()), "sender_device_keys.keys.curve25519", false)
}

// TestProofs: they serve for the same bytes of the same device, and for a bounded number
// of them.
func TestProofs(t *testing.T) {
	p := newProofs()
	for i := range maxProofs + 3 {
		of := device.Name{User: "@bob:example.org", Device: matrix.DeviceID(fmt.Sprint("D", i))}
		raw := encode(t, deviceKeys(t, newIdentity(t, of.User, of.Device)))
		want, err := device.ParseKeys(of, raw)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if got, err := p.keys(of, raw); err != nil || got != want {
				t.Errorf("%+v, %v; want %+v", got, err, want)
			}
		}
		if kept, ok := p.known.Peek(proofOf(of, raw)); !ok || kept != want || p.known.Len() > maxProofs {
			t.Errorf("%d proofs, without the last one or too many", p.known.Len())
		}
		if _, err := p.keys(device.Name{User: of.User, Device: "OTHER"}, raw); err == nil {
			t.Error("what one device proved, another has")
		}
		other := bytes.Replace(raw, []byte("ed25519"), []byte("ed25510"), 1)
		before := p.known.Len()
		if _, err := p.keys(of, other); err == nil || p.known.Len() != before {
			t.Errorf("other bytes: %v, kept: %t", err, p.known.Len() != before)
		}
	}
}

func FuzzCheckPayload(f *testing.F) {
	f.Add([]byte(`{"type":"m.dummy","content":{},"sender":"@b:c","recipient":"@a:c","keys":{"ed25519":"AAAA"},"sender_device_keys":{"device_id":"X"}}`))
	f.Add([]byte(`{"sender":"@b:c","recipient":"@a:c","recipient_keys":{"ed25519":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"keys":{"ed25519":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"},"type":"t","content":{"a":1}}`))
	f.Fuzz(func(t *testing.T, plaintext []byte) {
		p, err := checkPayload(plaintext, expected{sender: "@b:c", own: "@a:c"})
		if (err == nil) != (p.kind != "" && len(p.content) > 0 && json.Valid(p.content) && err == nil) {
			t.Errorf("%q: %+v, %v", plaintext, p, err)
		}
		if err != nil && !errors.Is(err, ErrPayload) {
			t.Errorf("%q: %v", plaintext, err)
		}
	})
}
