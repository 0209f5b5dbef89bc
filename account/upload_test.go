package account

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

func TestSignJSONSignsAllButSignaturesAndUnsigned(t *testing.T) {
	a, b := newAccount(t, "@alice:example.org"), newAccount(t, "@bob:example.org")
	signed, err := a.SignJSON([]byte(`{"z":1, "a":"é", "unsigned":{"age":3}}`))
	if err != nil {
		t.Fatal(err)
	}
	var object struct {
		Signatures map[string]map[string]string
		Unsigned   json.RawMessage
	}
	if err := json.Unmarshal(signed, &object); err != nil {
		t.Fatal(err)
	}
	want := a.Sign([]byte(`{"a":"é","z":1}`)).String()
	if got := object.Signatures["@alice:example.org"]["ed25519:PHONE"]; got != want || string(object.Unsigned) != `{"age":3}` {
		t.Errorf("signed %s", signed)
	}
	verify := func(what string, raw []byte, of Account, want error) {
		t.Helper()
		if err := VerifyJSON(raw, of.User(), "PHONE", of.Fingerprint()); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	verify("signed", signed, a, nil)
	both, err := b.SignJSON(signed)
	if err != nil {
		t.Fatal(err)
	}
	verify("first of two signatures", both, a, nil)
	verify("second of two signatures", both, b, nil)
	verify("not signed by bob", signed, b, ErrUnsigned)
	verify("unsigned changed", bytes.Replace(signed, []byte(`"age":3`), []byte(`"age":4`), 1), a, nil)
	verify("member changed", bytes.Replace(signed, []byte(`"z":1`), []byte(`"z":2`), 1), a, ErrSignature)
	verify("member added", bytes.Replace(signed, []byte(`"z":1`), []byte(`"y":0,"z":1`), 1), a, ErrSignature)
	verify("signature padded", bytes.Replace(signed, []byte(want), []byte(want+"=="), 1), a, nil)
	verify("signature padded wrongly", bytes.Replace(signed, []byte(want), []byte(want+"="), 1), a, ErrSignature)
	for _, loose := range []string{`{"age":1.5}`, `1e400`, `9007199254740993`, `"\ud83d"`, `{"a":1,"a":2}`, "\"\xff\"", strings.Repeat("[", 500) + strings.Repeat("]", 500)} {
		verify("unsigned "+loose, bytes.Replace(signed, []byte(`{"age":3}`), []byte(loose), 1), a, nil)
		verify("signed "+loose, bytes.Replace(signed, []byte(`"z":1`), []byte(`"z":`+loose), 1), a, canonicalError(loose))
	}
	verify("another's signature is none", bytes.Replace(signed, []byte(`"signatures":{`), []byte(`"signatures":{"@x:y":1.5,"@z:y":{"a":[2e-3]},`), 1), a, nil)
	verify("another order and spaces", bytes.Replace(signed, []byte(`{"a":"é",`), []byte("{ \"a\" : \"\\u00e9\" ,"), 1), a, nil)
	if err := VerifyJSON(signed, a.User(), "TABLET", a.Fingerprint()); !errors.Is(err, ErrUnsigned) {
		t.Errorf("another device: %v, want ErrUnsigned", err)
	}
	if err := VerifyJSON(signed, a.User(), "PHONE", b.Fingerprint()); !errors.Is(err, ErrSignature) {
		t.Errorf("another key: %v, want ErrSignature", err)
	}
}

// canonicalError is what reading a text strictly fails with.
func canonicalError(text string) error {
	_, err := canonicaljson.Decode([]byte(text))
	for _, kind := range []error{canonicaljson.ErrSyntax, canonicaljson.ErrNumber, canonicaljson.ErrDuplicate} {
		if errors.Is(err, kind) {
			return kind
		}
	}
	return err
}

func TestSignedJSONMustBeAnObject(t *testing.T) {
	a := newAccount(t, "@alice:example.org")
	for in, want := range map[string]error{
		`[]`: canonicaljson.ErrType, `{`: canonicaljson.ErrSyntax, `{"a":1.5}`: canonicaljson.ErrNumber, `{"a":1,"a":2}`: canonicaljson.ErrDuplicate,
	} {
		if _, err := a.SignJSON([]byte(in)); !errors.Is(err, want) {
			t.Errorf("SignJSON(%s): %v, want %v", in, err, want)
		}
		if err := VerifyJSON([]byte(in), a.User(), "PHONE", a.Fingerprint()); !errors.Is(err, want) {
			t.Errorf("VerifyJSON(%s): %v, want %v", in, err, want)
		}
	}
	for _, in := range []string{`{}`, `{"signatures":1}`, `{"signatures":{"@alice:example.org":[]}}`, `{"signatures":{"@alice:example.org":{"ed25519:PHONE":1}}}`} {
		if err := VerifyJSON([]byte(in), a.User(), "PHONE", a.Fingerprint()); !errors.Is(err, ErrUnsigned) {
			t.Errorf("VerifyJSON(%s): %v, want ErrUnsigned", in, err)
		}
	}
	// Nothing that stands in the place of signatures is lost by signing.
	for _, in := range []string{`{"signatures":1}`, `{"signatures":[]}`, `{"signatures":{"@alice:example.org":[]}}`, `{"signatures":{"@alice:example.org":"x"}}`} {
		if got, err := a.SignJSON([]byte(in)); !errors.Is(err, canonicaljson.ErrType) {
			t.Errorf("SignJSON(%s): %s, %v, want ErrType", in, got, err)
		}
	}
}

// keysOf returns a pool with n offered keys and a fallback key.
func keysOf(t testing.TB, n int) ([]otk.Entry, otk.Fallback) {
	t.Helper()
	pool, _, err := otk.Pool{}.Generate(rand.Reader, n, noon)
	if err != nil {
		t.Fatal(err)
	}
	pool, offered := pool.Offer(n, noon)
	pool, _, _, err = pool.RotateFallback(rand.Reader, noon)
	if err != nil {
		t.Fatal(err)
	}
	current, _ := pool.Fallbacks()
	return offered, current
}

func TestUploadBody(t *testing.T) {
	a := newAccount(t, "@alice:example.org")
	offered, fallback := keysOf(t, 2)
	raw, err := a.UploadBody(true, offered, fallback)
	if err != nil {
		t.Fatal(err)
	}
	var body struct {
		Device   json.RawMessage            `json:"device_keys"`
		OneTime  map[string]json.RawMessage `json:"one_time_keys"`
		Fallback map[string]json.RawMessage `json:"fallback_keys"`
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&body); err != nil {
		t.Fatal(err)
	}
	if len(body.OneTime) != 2 || len(body.Fallback) != 1 {
		t.Fatalf("%d one-time and %d fallback keys, want 2 and 1", len(body.OneTime), len(body.Fallback))
	}
	same(t, a, body.Device, map[string]any{
		"user_id": "@alice:example.org", "device_id": "PHONE",
		"algorithms": []any{"m.olm.v1.curve25519-aes-sha2", "m.megolm.v1.aes-sha2"},
		"keys":       map[string]any{"curve25519:PHONE": a.Identity().String(), "ed25519:PHONE": a.Fingerprint().String()},
	})
	same(t, a, body.OneTime["signed_curve25519:AAAAAQ"], map[string]any{"key": offered[0].Public.String()})
	same(t, a, body.OneTime["signed_curve25519:AAAAAg"], map[string]any{"key": offered[1].Public.String()})
	same(t, a, body.Fallback["signed_curve25519:AAAAAw"], map[string]any{"key": fallback.Public.String(), "fallback": true})
	if device, err := a.DeviceKeys(); err != nil || !bytes.Equal(device, body.Device) {
		t.Errorf("DeviceKeys = %s, %v", device, err)
	}
	if key, err := a.SignedKey(fallback.Public, true); err != nil || !bytes.Equal(key, body.Fallback["signed_curve25519:AAAAAw"]) {
		t.Errorf("SignedKey = %s, %v", key, err)
	}
}

// same compares an object without its signatures, and verifies the one of a.
func same(t *testing.T, a Account, raw []byte, want map[string]any) {
	t.Helper()
	if err := VerifyJSON(raw, a.User(), a.Device(), a.Fingerprint()); err != nil {
		t.Errorf("%s: %v", raw, err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "signatures")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A verifier that looks at the key alone would take a fallback key for a
// one-time key, or refuse ours.
func TestFallbackIsWithinTheSignature(t *testing.T) {
	a := newAccount(t, "@alice:example.org")
	signed, err := a.SignedKey(ratchet.PublicKey{5}, true)
	if err != nil {
		t.Fatal(err)
	}
	without := bytes.Replace(signed, []byte(`"fallback":true,`), nil, 1)
	if bytes.Equal(without, signed) {
		t.Fatalf("no fallback member in %s", signed)
	}
	if err := VerifyJSON(without, a.User(), "PHONE", a.Fingerprint()); !errors.Is(err, ErrSignature) {
		t.Errorf("without it: %v, want ErrSignature", err)
	}
}

func TestUploadBodyLeavesOutWhatIsEmpty(t *testing.T) {
	a := newAccount(t, "@alice:example.org")
	if raw, err := a.UploadBody(false, nil, otk.Fallback{}); err != nil || string(raw) != "{}" {
		t.Errorf("empty body %s, %v", raw, err)
	}
}

func TestOnlyOfferedKeysAreUploaded(t *testing.T) {
	a := newAccount(t, "@alice:example.org")
	offered, _ := keysOf(t, 1)
	for _, stage := range []otk.Stage{0, otk.Generated, otk.Published, otk.Abandoned} {
		offered[0].Stage = stage
		if _, err := a.UploadBody(false, offered, otk.Fallback{}); !errors.Is(err, ErrNotOffered) {
			t.Errorf("%v: %v, want ErrNotOffered", stage, err)
		}
	}
}

func TestRetiredAccountSignsNothing(t *testing.T) {
	a := newAccount(t, "@alice:example.org").Retire(Retirement{noon, "t", "/new"})
	offered, fallback := keysOf(t, 1)
	for name, do := range map[string]func() error{
		"device keys":   func() error { _, err := a.UploadBody(true, nil, otk.Fallback{}); return err },
		"one-time keys": func() error { _, err := a.UploadBody(false, offered, otk.Fallback{}); return err },
		"fallback key":  func() error { _, err := a.UploadBody(false, nil, fallback); return err },
		"SignJSON":      func() error { _, err := a.SignJSON([]byte(`{}`)); return err },
		"DeviceKeys":    func() error { _, err := a.DeviceKeys(); return err },
		"SignedKey":     func() error { _, err := a.SignedKey(ratchet.PublicKey{}, false); return err },
		"OpenOutbound": func() error {
			_, err := a.OpenOutbound(rand.Reader, ratchet.PublicKey{9}, ratchet.PublicKey{9}, at(noon))
			return err
		},
		"OpenInbound": func() error {
			_, err := a.OpenInbound(otk.Key{}, ratchet.PublicKey{}, ratchet.PreKeyMessage{}, at(noon))
			return err
		},
	} {
		if err := do(); !errors.Is(err, ErrRetired) {
			t.Errorf("%s: %v, want ErrRetired", name, err)
		}
	}
}
