package account

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/record/recordtest"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func at(t time.Time) session.Moment { return session.Moment{Time: t} }

func newAccount(t testing.TB, user matrix.UserID) Account {
	t.Helper()
	a, err := New(rand.Reader, user, "PHONE", noon)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestNewChecksNames(t *testing.T) {
	if _, err := New(rand.Reader, "@alice", "PHONE", noon); !errors.Is(err, matrix.ErrUserID) {
		t.Errorf("New without a server: %v, want ErrUserID", err)
	}
	if a, err := New(rand.Reader, "@:example.org", "My Laptop/2", noon); err != nil || a.Device() != "My Laptop/2" {
		t.Errorf("New with names of long ago: %v", err)
	}
	if _, err := New(rand.Reader, "@alice:example.org", "my\x00phone", noon); !errors.Is(err, matrix.ErrDeviceID) {
		t.Errorf("New with a NUL in the device id: %v, want ErrDeviceID", err)
	}
}

func TestAccountKeepsItsFacts(t *testing.T) {
	a := newAccount(t, "@alice:example.org").Retire(Retirement{noon.Add(time.Hour), "store", "/path"}).RequireRecovery(Copied, noon)
	encoded, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	retired, ok := back.Retired()
	if back.User() != a.User() || back.Device() != "PHONE" || back.Identity() != a.Identity() || back.Fingerprint() != a.Fingerprint() ||
		!back.Created().Equal(noon) || !ok || retired != (Retirement{noon.Add(time.Hour), "store", "/path"}) {
		t.Errorf("another account came back: %q %q %v", back.User(), back.Device(), retired)
	}
	if why, needed := back.NeedsRecovery(); !needed || why != (Recovery{noon, Copied}) {
		t.Errorf("recovery came back as %v, %v", why, needed)
	}
	if back.Check() != nil || back.Sign(nil) != a.Sign(nil) {
		t.Error("other keys came back")
	}
}

func TestRecordIsStrict(t *testing.T) {
	a := newAccount(t, "@alice:example.org")
	recordtest.Strict(t, a, Decode)
	recordtest.Strict(t, a.Retire(Retirement{Target: "t", Path: "p"}), Decode)
	recordtest.Strict(t, a.RequireRecovery(Behind, noon), Decode)
	raised := a.Raise(Lineage{Base: MaxBase, OldReceipts: true, KeysFrom: 1<<32 - 1})
	recordtest.Strict(t, raised, Decode)
	recordtest.Strict(t, a.Raise(Lineage{}), Decode)
	encoded, err := raised.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Decode(encoded); err != nil || !back.Raised() || back.Lineage() != raised.Lineage() || a.Raised() {
		t.Errorf("raised %v with %+v, %v", back.Raised(), back.Lineage(), err)
	}
	if encoded, err = a.Raise(Lineage{Base: MaxBase + 1}).Encode(); err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(encoded); !errors.Is(err, ErrFormat) {
		t.Errorf("a base of more than 53 bits: %v, want ErrFormat", err)
	}
	if _, err := (Account{}).Encode(); !errors.Is(err, ErrFormat) {
		t.Errorf("zero Account: %v, want ErrFormat", err)
	}
	encoded, err = a.Retire(Retirement{At: noon, Target: "t", Path: "/a\xff\xfe/b"}).Encode()
	if err != nil {
		t.Fatal(err)
	}
	if back, err := Decode(encoded); err != nil || back.retired.Path != "/a?/b" {
		t.Errorf("a path that is no text is %q, %v, want /a?/b", back.retired.Path, err)
	}
	if _, err := a.Retire(Retirement{At: noon, Path: strings.Repeat("x", maxPath+1)}).Encode(); !errors.Is(err, ErrFormat) {
		t.Errorf("long path: %v, want ErrFormat", err)
	}
	a.user = "alice"
	encoded, err = a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(encoded); !errors.Is(err, matrix.ErrUserID) || !errors.Is(err, record.ErrFormat) {
		t.Errorf("record of %q: %v, want ErrFormat and ErrUserID", a.user, err)
	}
}

func TestMarkOfRecovery(t *testing.T) {
	a := newAccount(t, "@a:x")
	if why, needed := a.NeedsRecovery(); needed {
		t.Errorf("a new account needs recovery: %v", why)
	}
	marked := a.RequireRecovery(Behind, time.Time{}) // a broken clock
	if why, needed := marked.NeedsRecovery(); !needed || why.Cause != Behind {
		t.Errorf("marked: %v, %v, want Behind", why, needed)
	}
	if why, _ := marked.RequireRecovery(Asked, noon).NeedsRecovery(); why.Cause != Behind {
		t.Errorf("marked again: %v, want the first cause", why)
	}
	if why, needed := marked.Recovered(5).NeedsRecovery(); needed {
		t.Errorf("recovered, and still: %v", why)
	}
	for name, bad := range map[string]Recovery{"no cause": {Since: noon}, "no time": {Cause: Behind}, "unknown cause": {noon, Asked + 1}} {
		a.recovery = bad
		encoded, err := a.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Decode(encoded); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
}

func TestCheckFindsWrongPairs(t *testing.T) {
	a, b := newAccount(t, "@a:x"), newAccount(t, "@b:x")
	if err := a.Check(); err != nil {
		t.Error(err)
	}
	wrong := a
	wrong.identity = ratchet.RestoreKeyPair(b.Identity(), a.identity.Private())
	if err := wrong.Check(); !errors.Is(err, ErrFormat) {
		t.Errorf("identity key of another: %v, want ErrFormat", err)
	}
	wrong = a
	wrong.signing.public = b.Fingerprint()
	if err := wrong.Check(); !errors.Is(err, ErrFormat) {
		t.Errorf("signing key of another: %v, want ErrFormat", err)
	}
}

func TestRestoreRefusesMissingKeys(t *testing.T) {
	a := newAccount(t, "@a:x")
	if _, err := Restore("@a:x", "D", ratchet.KeyPair{}, a.SigningKey(), noon); !errors.Is(err, ErrFormat) {
		t.Errorf("no identity key: %v, want ErrFormat", err)
	}
	if _, err := Restore("@a:x", "D", a.IdentityPair(), SigningKey{}, noon); !errors.Is(err, ErrFormat) {
		t.Errorf("no signing key: %v, want ErrFormat", err)
	}
	if back, err := Restore("@a:x", "D", a.IdentityPair(), a.SigningKey(), noon); err != nil || back.Identity() != a.Identity() {
		t.Errorf("restored: %v", err)
	}
}

func TestFailingRandomnessIsReported(t *testing.T) {
	for n := range 64 {
		if _, err := New(bytes.NewReader(make([]byte, n)), "@a:x", "D", noon); err == nil {
			t.Errorf("%d bytes were enough for an account", n)
		}
	}
}

func TestNothingIsExposed(t *testing.T) {
	for _, v := range []any{Account{}, SigningKey{}, Inbound{}, SenderError{}, Retirement{}, Recovery{}} {
		for _, path := range secret.Exposed(v, ratchet.PublicKey{}, ratchet.SessionID{}, VerifyKey{}, Signature{}) {
			switch path {
			case "account.Inbound.Plaintext.Bytes": // what the caller asked for
			case "account.Inbound.Session.dropped[]": // parts of public keys
			default:
				t.Errorf("exposed: %s", path)
			}
		}
	}
	a := newAccount(t, "@alice:example.org")
	expanded, identity := a.signing.Expanded(), a.identity.Private()
	for _, key := range [][]byte{expanded[:32], expanded[32:], identity[:]} {
		recordtest.Redacts(t, key, a, &a, []Account{a}, struct{ a Account }{a}, a.signing, struct{ k SigningKey }{a.signing})
	}
	for _, v := range []any{expanded, &expanded, Seed(identity), []Seed{Seed(identity)}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			if out := fmt.Sprintf(verb, v); !strings.Contains(out, secret.Redacted) || len(out) > 40 {
				t.Errorf("%s of %T prints %q", verb, v, out)
			}
		}
		if _, err := json.Marshal(v); !errors.Is(err, secret.ErrMarshal) {
			t.Errorf("JSON of %T: %v, want ErrMarshal", v, err)
		}
	}
	in := Inbound{Plaintext: ratchet.Plaintext{Bytes: []byte("plaintext")}}
	if out := fmt.Sprintf("%v %+v %#v", in, &in, []Inbound{in}); strings.Contains(out, "plaintext") {
		t.Errorf("Inbound prints as %s", out)
	}
}

func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) { recordtest.Stable(t, in, Decode) })
}

// A key that is restored, as from a record: nothing was multiplied before.
func BenchmarkSign(b *testing.B) {
	key := RestoreSigningKey(VerifyKey{}, ExpandedKey{1, 2, 3})
	message := make([]byte, 200)
	b.ReportAllocs()
	for b.Loop() {
		key.Sign(message)
	}
}

// The first test of RFC 8032, section 7.1: nobody signs here before.
func BenchmarkVerify(b *testing.B) {
	key, err := hex.DecodeString("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
	if err != nil {
		b.Fatal(err)
	}
	signature, err := hex.DecodeString("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b")
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := Verify(VerifyKey(key), nil, Signature(signature)); err != nil {
			b.Fatal(err)
		}
	}
}

// 50 keys made, offered, signed and written into a body.
func BenchmarkUpload50(b *testing.B) {
	a := newAccount(b, "@alice:example.org")
	b.ReportAllocs()
	for b.Loop() {
		pool, _, err := otk.Pool{}.Generate(rand.Reader, 50, noon)
		if err != nil {
			b.Fatal(err)
		}
		_, offered := pool.Offer(50, noon)
		if _, err := a.UploadBody(true, offered, otk.Fallback{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAccountRecord(b *testing.B) {
	a := newAccount(b, "@alice:example.org")
	encoded, err := a.Encode()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(encoded); err != nil {
			b.Fatal(err)
		}
	}
}
