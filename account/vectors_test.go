package account_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/internal/testfiles"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// outcomes are those that a vector may name, and the errors that they are.
var outcomes = map[string][]error{
	"valid":    nil,
	"invalid":  {account.ErrSignature},
	"accepted": nil,
	"refused":  {canonicaljson.ErrSyntax, canonicaljson.ErrNumber, canonicaljson.ErrDuplicate},
}

func TestVectors(t *testing.T) {
	testfiles.Run(t, testfiles.Kinds{
		"ed25519":        runSignatures,
		"matrix-upload":  runUploads,
		"canonical-json": runCanonical,
	}, outcomes)
}

type canonicalVector struct {
	Name      string        `json:"name"`
	Input     testfiles.Hex `json:"input"`
	Canonical testfiles.Hex `json:"canonical"`
	Expect    string        `json:"expect"`
	Mautrix   testfiles.Hex `json:"mautrix"`
}

func runCanonical(t *testing.T, f testfiles.Vectors) {
	for _, v := range testfiles.List[canonicalVector](t, f) {
		t.Run(v.Name, func(t *testing.T) {
			got, err := canonicaljson.Canonicalize(v.Input)
			f.Want(t, v.Expect, err)
			if !bytes.Equal(got, v.Canonical) {
				t.Fatalf("canonical form %s, expected %s", got, v.Canonical)
			}
		})
	}
}

type signingVector struct {
	Name       string        `json:"name"`
	Seed       testfiles.Hex `json:"seed"`
	Expanded   testfiles.Hex `json:"expanded"`
	Public     testfiles.Hex `json:"public"`
	Signatures []signature   `json:"signatures"`
}

type signature struct {
	Name      string        `json:"name"`
	Public    testfiles.Hex `json:"public"`
	Message   testfiles.Hex `json:"message"`
	Signature string        `json:"signature"`
	Expect    string        `json:"expect"`
}

func runSignatures(t *testing.T, f testfiles.Vectors) {
	for _, v := range testfiles.List[signingVector](t, f) {
		key := account.ExpandedSigningKey([64]byte(v.Expanded))
		if key.Public() != account.VerifyKey(v.Public) {
			t.Errorf("%s: public key %v, expected %x", v.Name, key.Public(), v.Public)
		}
		if got := account.SeedSigningKey([32]byte(v.Seed)).Public(); got != key.Public() {
			t.Errorf("%s: public key %v of the seed, expected %v", v.Name, got, key.Public())
		}
		if len(v.Signatures) == 0 {
			t.Errorf("%s: no signatures", v.Name)
		}
		for _, s := range v.Signatures {
			t.Run(v.Name+"/"+s.Name, func(t *testing.T) { s.run(t, f, key) })
		}
	}
}

func (s signature) run(t *testing.T, f testfiles.Vectors, key account.SigningKey) {
	public := key.Public()
	if s.Public != nil {
		public = account.VerifyKey(s.Public)
	}
	given, err := account.ParseSignature(s.Signature)
	if err != nil {
		t.Fatal(err)
	}
	err = account.Verify(public, s.Message, given)
	f.Want(t, s.Expect, err)
	if s.Expect == "valid" && key.Sign(s.Message) != given {
		t.Fatalf("signed %v, expected %v", key.Sign(s.Message), given)
	}
}

type uploadVector struct {
	Name       string        `json:"name"`
	User       string        `json:"user"`
	Device     string        `json:"device"`
	Identity   vectorKey     `json:"identity"`
	Expanded   testfiles.Hex `json:"expanded"`
	Signing    testfiles.Hex `json:"signing_public"`
	DeviceKeys string        `json:"device_keys"`
	OneTime    []uploadKey   `json:"one_time_keys"`
	Fallback   uploadKey     `json:"fallback_key"`
	Body       string        `json:"body"`
	Signed     struct {
		Input  string `json:"input"`
		Output string `json:"output"`
	} `json:"signed"`
}

type vectorKey struct {
	Private testfiles.Hex `json:"private"`
	Public  testfiles.Hex `json:"public"`
}

type uploadKey struct {
	ID     uint32    `json:"id"`
	Name   string    `json:"key_id"`
	Key    vectorKey `json:"key"`
	Object string    `json:"object"`
}

func runUploads(t *testing.T, f testfiles.Vectors) {
	for _, v := range testfiles.List[uploadVector](t, f) {
		t.Run(v.Name, v.run)
	}
}

func (v uploadVector) run(t *testing.T) {
	identity := ratchet.NewKeyPair([32]byte(v.Identity.Private))
	a, err := account.Restore(matrix.UserID(v.User), matrix.DeviceID(v.Device), identity, account.ExpandedSigningKey([64]byte(v.Expanded)), time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if a.Identity() != ratchet.PublicKey(v.Identity.Public) || a.Fingerprint() != account.VerifyKey(v.Signing) {
		t.Fatalf("keys %v and %v", a.Identity(), a.Fingerprint())
	}
	got, err := a.DeviceKeys()
	same(t, "device_keys", got, err, v.DeviceKeys)
	verify(t, a, v.DeviceKeys)
	var entries []otk.Entry
	for _, k := range v.OneTime {
		got, err := a.SignedKey(k.public(t), false)
		same(t, k.Name, got, err, k.Object)
		verify(t, a, k.Object)
		entries = append(entries, otk.Entry{ID: otk.ID(k.ID), Public: k.public(t), Stage: otk.Offered})
	}
	got, err = a.SignedKey(v.Fallback.public(t), true)
	same(t, "fallback key", got, err, v.Fallback.Object)
	verify(t, a, v.Fallback.Object)
	got, err = a.UploadBody(true, entries, otk.Fallback{ID: otk.ID(v.Fallback.ID), Public: v.Fallback.public(t)})
	same(t, "body", got, err, v.Body)
	got, err = a.SignJSON([]byte(v.Signed.Input))
	same(t, "signed object", got, err, v.Signed.Output)
	verify(t, a, v.Signed.Output)
}

func (k uploadKey) public(t *testing.T) ratchet.PublicKey {
	t.Helper()
	public := ratchet.NewKeyPair([32]byte(k.Key.Private)).Public()
	if public != ratchet.PublicKey(k.Key.Public) {
		t.Fatalf("key %d: public part %v, expected %x", k.ID, public, k.Key.Public)
	}
	if name := "signed_curve25519:" + otk.ID(k.ID).String(); name != k.Name {
		t.Fatalf("key %d is named %s, expected %s", k.ID, name, k.Name)
	}
	return public
}

func same(t *testing.T, what string, got []byte, err error, want string) {
	t.Helper()
	if err != nil || string(got) != want {
		t.Fatalf("%s: %v\n%s\nexpected\n%s", what, err, got, want)
	}
}

func verify(t *testing.T, a account.Account, object string) {
	t.Helper()
	if err := account.VerifyJSON([]byte(object), a.User(), a.Device(), a.Fingerprint()); err != nil {
		t.Fatalf("%v: %s", err, object)
	}
}
