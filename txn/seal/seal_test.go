package seal_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/txn/seal"
)

func create(t testing.TB, u seal.Unlock) (seal.Keyring, []byte) {
	t.Helper()
	k, record, err := seal.Create(rand.Reader, u)
	if err != nil {
		t.Fatal(err)
	}
	return k, record
}

func TestOpenGivesTheSameKeyring(t *testing.T) {
	for name, u := range map[string]seal.Unlock{
		"passphrase": seal.Passphrase([]byte("p\x00ä")),
		"raw key":    seal.RawKey([32]byte{1}),
	} {
		t.Run(name, func(t *testing.T) {
			k, record := create(t, u)
			again, err := seal.Open(record, u)
			if err != nil {
				t.Fatal(err)
			}
			sealed := k.Seal([]byte("before"), "a/b/c", []byte("value"))
			plain, err := again.Open([]byte("x"), "a/b/c", sealed[len("before"):])
			if err != nil || string(plain) != "xvalue" {
				t.Errorf("Open = %q, %v", plain, err)
			}
			if k.Blind("alice") != again.Blind("alice") || k.Store() != again.Store() {
				t.Error("names or store ids differ")
			}
		})
	}
}

func TestWrongUnlockIsErrPassphrase(t *testing.T) {
	_, byPass := create(t, seal.Passphrase([]byte("right")))
	_, byKey := create(t, seal.RawKey([32]byte{1}))
	for name, c := range map[string]struct {
		record []byte
		unlock seal.Unlock
	}{
		"wrong passphrase":       {byPass, seal.Passphrase([]byte("wrong"))},
		"empty passphrase":       {byPass, seal.Passphrase(nil)},
		"key for a passphrase":   {byPass, seal.RawKey([32]byte{1})},
		"nothing":                {byPass, seal.Unlock{}},
		"wrong key":              {byKey, seal.RawKey([32]byte{2})},
		"passphrase for a key":   {byKey, seal.Passphrase(bytes.Repeat([]byte{1}, 32))},
		"key as passphrase's 32": {byKey, seal.Passphrase([]byte{1})},
	} {
		if _, err := seal.Open(c.record, c.unlock); !errors.Is(err, seal.ErrPassphrase) || errors.Is(err, seal.ErrFormat) {
			t.Errorf("%s: %v, want ErrPassphrase", name, err)
		}
	}
}

func TestEmptyPassphraseIsRefused(t *testing.T) {
	for _, u := range []seal.Unlock{seal.Passphrase(nil), {}} {
		if _, _, err := seal.Create(rand.Reader, u); !errors.Is(err, seal.ErrPassphrase) {
			t.Errorf("Create = %v, want ErrPassphrase", err)
		}
	}
}

func TestRandomnessThatFailsIsReported(t *testing.T) {
	broken := errors.New("no entropy")
	for n := range int64(32 + 16 + 16 + 24) {
		short := &failAfter{n: n, err: broken}
		if _, _, err := seal.Create(short, seal.RawKey([32]byte{1})); !errors.Is(err, broken) {
			t.Fatalf("after %d bytes: %v, want the reader's error", n, err)
		}
	}
}

type failAfter struct {
	n   int64
	err error
}

func (f *failAfter) Read(p []byte) (int, error) {
	if f.n == 0 {
		return 0, f.err
	}
	n := min(int64(len(p)), f.n)
	f.n -= n
	return int(n), nil
}

func TestRewrapKeepsTheDataKey(t *testing.T) {
	old, was := seal.Passphrase([]byte("old")), seal.RawKey([32]byte{7})
	k, record := create(t, old)
	next, err := k.Rewrap(rand.Reader, was)
	if err != nil {
		t.Fatal(err)
	}
	again, err := seal.Open(next, was)
	if err != nil || again.Store() != k.Store() || again.Blind("x") != k.Blind("x") {
		t.Fatalf("the rewrapped keyring is another: %v", err)
	}
	if _, err := seal.Open(next, old); !errors.Is(err, seal.ErrPassphrase) {
		t.Errorf("the old passphrase: %v, want ErrPassphrase", err)
	}
	if bytes.Equal(record, next) {
		t.Error("the record did not change")
	}
}

func TestEveryDamagedByteIsErrFormat(t *testing.T) {
	u := seal.RawKey([32]byte{1})
	_, record := create(t, u)
	for i := range record {
		bad := bytes.Clone(record)
		bad[i] ^= 0x40
		if _, err := seal.Open(bad, u); !errors.Is(err, seal.ErrFormat) {
			t.Errorf("byte %d flipped: %v, want ErrFormat", i, err)
		}
	}
	for n := range record {
		if _, err := seal.Open(record[:n], u); !errors.Is(err, seal.ErrFormat) {
			t.Errorf("cut to %d: %v, want ErrFormat", n, err)
		}
	}
	for _, tail := range [][]byte{{0}, make([]byte, 2000)} {
		if _, err := seal.Open(append(bytes.Clone(record), tail...), u); !errors.Is(err, seal.ErrFormat) {
			t.Errorf("with a tail: %v, want ErrFormat", err)
		}
	}
}

func TestSealedValuesAreBoundToTheirPath(t *testing.T) {
	k, _ := create(t, seal.RawKey([32]byte{1}))
	other, _ := create(t, seal.RawKey([32]byte{1}))
	sealed := k.Seal(nil, "a/session/x", []byte("value"))
	if _, err := k.Open(nil, "a/session/y", sealed); !errors.Is(err, seal.ErrDamaged) {
		t.Errorf("moved: %v, want ErrDamaged", err)
	}
	if _, err := other.Open(nil, "a/session/x", sealed); !errors.Is(err, seal.ErrDamaged) {
		t.Errorf("another store: %v, want ErrDamaged", err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := k.Open(nil, "a/session/x", bad); !errors.Is(err, seal.ErrDamaged) {
			t.Errorf("byte %d flipped: %v, want ErrDamaged", i, err)
		}
		if _, err := k.Open(nil, "a/session/x", sealed[:i]); !errors.Is(err, seal.ErrDamaged) {
			t.Errorf("cut to %d: %v, want ErrDamaged", i, err)
		}
	}
}

func TestSealNeverRepeatsItself(t *testing.T) {
	k, _ := create(t, seal.RawKey([32]byte{1}))
	if bytes.Equal(k.Seal(nil, "p", []byte("v")), k.Seal(nil, "p", []byte("v"))) {
		t.Error("the same plaintext was sealed to the same bytes")
	}
	if n := len(k.Seal(nil, "p", nil)); n != seal.Overhead {
		t.Errorf("nothing seals to %d bytes, want %d", n, seal.Overhead)
	}
}

func TestBlindTellsNamesApart(t *testing.T) {
	k, _ := create(t, seal.RawKey([32]byte{1}))
	other, _ := create(t, seal.RawKey([32]byte{1}))
	seen := map[string]string{}
	for _, name := range []string{"", "a", "A", "@alice:example.org", "a/b", "\x00", strings.Repeat("x", 5000)} {
		b := k.Blind(name)
		if len(b) != 22 || strings.ContainsAny(b, "/+=") || b != k.Blind(name) || b == other.Blind(name) {
			t.Errorf("Blind(%.20q) = %q", name, b)
		}
		if was, twice := seen[b]; twice {
			t.Errorf("%q and %q are blinded alike", was, name)
		}
		seen[b] = name
	}
}

func TestSecretsAreHidden(t *testing.T) {
	u := seal.Passphrase([]byte("hunter2"))
	k, _ := create(t, u)
	for _, v := range []any{k, &k, u, &u, []any{k, u}, struct{ k seal.Keyring }{k}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%x", "%s", "%q"} {
			out := fmt.Sprintf(verb, v)
			if strings.Contains(out, "hunter2") || strings.Contains(out, "68756e74657232") || strings.Contains(out, "104 117 110") {
				t.Errorf("%s of %T shows the passphrase", verb, v)
			}
		}
	}
	for _, v := range []any{seal.Keyring{}, seal.Unlock{}} {
		if got := secret.Exposed(v, seal.StoreID{}); !slices.Equal(got, nil) {
			t.Errorf("%T exposes %q", v, got)
		}
	}
}
