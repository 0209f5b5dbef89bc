package hs

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/matrix"
)

const alice, bob, eve = matrix.UserID("@alice:example.org"), matrix.UserID("@bob:example.org"), matrix.UserID("@eve:elsewhere.org")

// TestUploads: one known id with another key refuses the whole body; the same key
// again is fine, also after it was claimed, and then it is handed out again.
func TestUploads(t *testing.T) {
	s := started(t, alice, bob)
	a, b := s.client(t, alice, "A"), s.client(t, bob, "B")
	if _, o := a.upload(object{"signed_curve25519:AAAAAQ": key("one"), "signed_curve25519:AAAAAg": key("two")}); at(o, "one_time_key_counts", "signed_curve25519") != 2.0 {
		t.Errorf("the counts are %v", o)
	}
	a.expect(400, "M_UNKNOWN", "POST", base+"keys/upload", object{"one_time_keys": object{
		"signed_curve25519:AAAAAw": key("three"), "signed_curve25519:AAAAAQ": key("another")}})
	if n := s.KeyCount(alice, "A"); n != 2 {
		t.Errorf("after a refused upload there are %d keys, want 2", n)
	}
	if status, _ := a.upload(object{"signed_curve25519:AAAAAQ": key("one")}); status != http.StatusOK {
		t.Errorf("the same key again: %d", status)
	}
	want := object{"signed_curve25519:AAAAAQ": key("one")}
	for range 2 { // claimed, uploaded again and claimed again
		if diff := cmp.Diff(want, b.claim(a)); diff != "" {
			t.Error(diff)
		}
		a.upload(object{"signed_curve25519:AAAAAQ": key("one")})
		b.claim(a) // the second, and then nothing new before the first
	}
}

// TestClaimOrder: oldest first, and the fallback key once there are none, as often
// as it takes. One that is uploaded again counts as unused again.
func TestClaimOrder(t *testing.T) {
	s := started(t, alice, bob)
	a, b := s.client(t, alice, "A"), s.client(t, bob, "B")
	a.upload(object{"signed_curve25519:AAAAAg": key("two")})
	a.upload(object{"signed_curve25519:AAAAAQ": key("one")})
	fallback := object{"fallback_keys": object{"signed_curve25519:AAAAAw": key("three")}}
	a.must("POST", base+"keys/upload", fallback)
	unused := func() []any { return list(a.sync(""), "device_unused_fallback_key_types") }
	for i, want := range []string{"AAAAAg", "AAAAAQ", "AAAAAw", "AAAAAw"} {
		if got := b.claim(a); got["signed_curve25519:"+want] == nil {
			t.Errorf("claim %d is %v, want %s", i, got, want)
		}
		if got, want := len(unused()), 1; i < 2 && got != want || i >= 2 && got != 0 {
			t.Errorf("after claim %d: %d unused fallback keys", i, got)
		}
	}
	a.must("POST", base+"keys/upload", fallback)
	if got := unused(); len(got) != 1 {
		t.Errorf("uploaded again it is %v", got)
	}
	if n := at(a.sync(""), "device_one_time_keys_count", "signed_curve25519"); n != 0.0 {
		t.Errorf("without keys the count is %v, want 0", n)
	}
}

// TestQueries: devices with keys, the display name unsigned, cross-signing keys and
// signatures, and failures of servers that are down.
func TestQueries(t *testing.T) {
	s := started(t, alice, bob, eve)
	a, b, e := s.client(t, alice, "A"), s.client(t, bob, "B"), s.client(t, eve, "E")
	a.must("POST", base+"keys/upload", a.deviceKeys("alice's"))
	e.must("POST", base+"keys/upload", e.deviceKeys("eve's"))
	a.must("PUT", base+"devices/A", object{"display_name": "phone"})
	a.must("POST", base+"keys/device_signing/upload", object{
		"master_key": object{"keys": object{"ed25519:M": "M"}}, "user_signing_key": object{"keys": object{"ed25519:U": "U"}}})
	o := b.must("POST", base+"keys/signatures/upload", object{string(alice): object{
		"M": object{"signatures": object{string(bob): object{"ed25519:B": "signed"}}},
		"X": object{"signatures": object{}}}})
	if at(o, "failures", string(alice), "X", "errcode") != "M_NOT_FOUND" || at(o, "failures", string(alice), "M") != nil {
		t.Errorf("signatures: %v", o)
	}
	query := func(c *client) object {
		return c.must("POST", base+"keys/query", object{"device_keys": object{string(alice): []string{}, string(eve): []string{}}})
	}
	o = query(b)
	if at(o, "device_keys", string(alice), "A", "keys", "ed25519:A") != "alice's" ||
		at(o, "device_keys", string(alice), "A", "unsigned", "device_display_name") != "phone" ||
		at(o, "master_keys", string(alice), "signatures", string(bob), "ed25519:B") != "signed" ||
		at(o, "user_signing_keys", string(alice)) != nil || at(query(a), "user_signing_keys", string(alice)) == nil ||
		at(o, "device_keys", string(eve), "E") == nil {
		t.Errorf("the answer is %v", o)
	}
	s.Down("elsewhere.org")
	if o = query(b); at(o, "device_keys", string(eve)) != nil || at(o, "failures", "elsewhere.org") == nil {
		t.Errorf("with her server down: %v", o)
	}
	if got := b.claim(e); got != nil {
		t.Errorf("a claim from a server that is down: %v", got)
	}
	s.Up("elsewhere.org")
	if o = query(b); at(o, "device_keys", string(eve), "E") == nil {
		t.Errorf("with her server up again: %v", o)
	}
	a.must("POST", base+"logout", nil)
	if o = query(b); at(o, "device_keys", string(alice), "A") != nil {
		t.Errorf("after the logout: %v", o)
	}
	a.expect(401, "M_UNKNOWN_TOKEN", "GET", base+"account/whoami", nil)
}

// TestLoginAgain: a device that logs in again keeps its keys and loses its token.
func TestLoginAgain(t *testing.T) {
	s := started(t, alice)
	a := s.client(t, alice, "A")
	a.upload(object{"signed_curve25519:AAAAAQ": key("one")})
	again := a.must("POST", base+"login", object{
		"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": "alice"}, "password": "secret", "device_id": "A"})
	a.expect(401, "M_UNKNOWN_TOKEN", "GET", base+"account/whoami", nil)
	a.token = again["access_token"].(string)
	if n := s.KeyCount(alice, "A"); n != 1 {
		t.Errorf("there are %d keys, want 1", n)
	}
	a.expect(403, "M_FORBIDDEN", "POST", base+"login", object{
		"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": "alice"}, "password": "wrong"})
	a.expect(404, "M_UNRECOGNIZED", "GET", base+"nothing/like/it", nil)
	a.expect(400, "M_BAD_JSON", "POST", base+"keys/upload", object{"one_time_keys": 3})
}
