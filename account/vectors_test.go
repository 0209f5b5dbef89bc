package account_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
)

// vectorFormat is the version of the shape of vector files that this loader
// reads; testdata/vectors/README.md specifies it.
const vectorFormat = 1

// vectorKinds are the files there must be, the outcomes that may occur in
// each, and who runs what is in them.
var vectorKinds = map[string]struct {
	outcomes []string
	run      func(*testing.T, vectorFile)
}{
	"ed25519":        {[]string{"valid", "invalid"}, runSignatures},
	"matrix-upload":  {[]string{"valid"}, runUploads},
	"canonical-json": {[]string{"accepted", "refused"}, runCanonical},
}

type vectorFile struct {
	Format      int             `json:"format"`
	Kind        string          `json:"kind"`
	Description string          `json:"description"`
	Origin      origin          `json:"origin"`
	Expect      []string        `json:"expect"`
	Vectors     json.RawMessage `json:"vectors"`
}

type origin struct{ Library, Command, Date string }

// hexBytes is lower-case hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

func TestVectors(t *testing.T) {
	paths, err := filepath.Glob(filepath.Join("testdata", "vectors", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, path := range paths {
		f := readVectors(t, path)
		if found[f.Kind] {
			t.Errorf("%s: a second file of kind %q", path, f.Kind)
		}
		found[f.Kind] = true
		t.Run(f.Kind, func(t *testing.T) { vectorKinds[f.Kind].run(t, f) })
	}
	for kind := range vectorKinds {
		if !found[kind] {
			t.Errorf("no vectors of kind %q in testdata/vectors", kind)
		}
	}
}

func readVectors(t *testing.T, path string) (f vectorFile) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	strict(t, b, &f)
	kind, known := vectorKinds[f.Kind]
	switch {
	case f.Format != vectorFormat:
		t.Fatalf("%s: format %d, this loader reads %d", path, f.Format, vectorFormat)
	case !known:
		t.Fatalf("%s: kind %q is unknown", path, f.Kind)
	case f.Origin.Library == "" || f.Origin.Command == "" || f.Origin.Date == "":
		t.Fatalf("%s: origin %+v is incomplete", path, f.Origin)
	case !slices.Equal(f.Expect, kind.outcomes):
		t.Fatalf("%s: outcomes %q, expected %q", path, f.Expect, kind.outcomes)
	}
	return f
}

// strict decodes one JSON value, of which every field must be known.
func strict(t *testing.T, b []byte, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("more than one JSON value: %v", err)
	}
}

// list decodes the vectors of a file, of which there must be some.
func list[V any](t *testing.T, f vectorFile) (vectors []V) {
	t.Helper()
	strict(t, f.Vectors, &vectors)
	if len(vectors) == 0 {
		t.Fatal("no vectors")
	}
	return vectors
}

// want checks an outcome, of which good is the one without an error.
func (f vectorFile) want(t *testing.T, outcome, good string, err error) {
	t.Helper()
	if !slices.Contains(f.Expect, outcome) {
		t.Fatalf("outcome %q is not in the file's set %q", outcome, f.Expect)
	}
	if (outcome == good) != (err == nil) {
		t.Fatalf("got %v, expected %q", err, outcome)
	}
}

type canonicalVector struct {
	Name      string   `json:"name"`
	Input     hexBytes `json:"input"`
	Canonical hexBytes `json:"canonical"`
	Expect    string   `json:"expect"`
	Mautrix   hexBytes `json:"mautrix"`
}

func runCanonical(t *testing.T, f vectorFile) {
	for _, v := range list[canonicalVector](t, f) {
		t.Run(v.Name, func(t *testing.T) {
			got, err := canonicaljson.Canonicalize(v.Input)
			f.want(t, v.Expect, "accepted", err)
			if !bytes.Equal(got, v.Canonical) {
				t.Fatalf("canonical form %s, expected %s", got, v.Canonical)
			}
		})
	}
}

type signingVector struct {
	Name       string      `json:"name"`
	Seed       hexBytes    `json:"seed"`
	Expanded   hexBytes    `json:"expanded"`
	Public     hexBytes    `json:"public"`
	Signatures []signature `json:"signatures"`
}

type signature struct {
	Name      string   `json:"name"`
	Public    hexBytes `json:"public"`
	Message   hexBytes `json:"message"`
	Signature string   `json:"signature"`
	Expect    string   `json:"expect"`
}

func runSignatures(t *testing.T, f vectorFile) {
	for _, v := range list[signingVector](t, f) {
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

func (s signature) run(t *testing.T, f vectorFile, key account.SigningKey) {
	public := key.Public()
	if s.Public != nil {
		public = account.VerifyKey(s.Public)
	}
	given, err := account.ParseSignature(s.Signature)
	if err != nil {
		t.Fatal(err)
	}
	err = account.Verify(public, s.Message, given)
	f.want(t, s.Expect, "valid", err)
	if err != nil && !errors.Is(err, account.ErrSignature) {
		t.Fatalf("got %v, expected %v", err, account.ErrSignature)
	}
	if s.Expect == "valid" && key.Sign(s.Message) != given {
		t.Fatalf("signed %v, expected %v", key.Sign(s.Message), given)
	}
}

type uploadVector struct {
	Name       string      `json:"name"`
	User       string      `json:"user"`
	Device     string      `json:"device"`
	Identity   vectorKey   `json:"identity"`
	Expanded   hexBytes    `json:"expanded"`
	Signing    hexBytes    `json:"signing_public"`
	DeviceKeys string      `json:"device_keys"`
	OneTime    []uploadKey `json:"one_time_keys"`
	Fallback   uploadKey   `json:"fallback_key"`
	Body       string      `json:"body"`
	Signed     struct {
		Input  string `json:"input"`
		Output string `json:"output"`
	} `json:"signed"`
}

type vectorKey struct {
	Private hexBytes `json:"private"`
	Public  hexBytes `json:"public"`
}

type uploadKey struct {
	ID     uint32    `json:"id"`
	Name   string    `json:"key_id"`
	Key    vectorKey `json:"key"`
	Object string    `json:"object"`
}

func runUploads(t *testing.T, f vectorFile) {
	for _, v := range list[uploadVector](t, f) {
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
