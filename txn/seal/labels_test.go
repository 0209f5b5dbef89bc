package seal

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"testing"

	"golang.org/x/crypto/chacha20poly1305"
)

// TestLabels: the keys that seal and blind are those of the format page, each of
// its own label, so that what one shows says nothing of the other.
func TestLabels(t *testing.T) {
	data := [keySize]byte{1, 2, 3}
	of := func(label string) []byte {
		key, err := hkdf.Key(sha256.New, data[:], nil, label, keySize)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	k, err := newKeyring(data, StoreID{})
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, of("pawl keyring v1 blind"))
	mac.Write([]byte("@alice:example.org"))
	if got, want := k.Blind("@alice:example.org"), base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16]); got != want {
		t.Errorf("blinded as %s, want %s", got, want)
	}
	aead, err := chacha20poly1305.NewX(of("pawl keyring v1 seal"))
	if err != nil {
		t.Fatal(err)
	}
	sealed := k.Seal(nil, "a/b", []byte("value"))
	if plain, err := aead.Open(nil, sealed[1:25], sealed[25:], []byte("a/b")); err != nil || string(plain) != "value" {
		t.Errorf("opens as %q, %v", plain, err)
	}
}
