package ratchet

import (
	"bytes"
	"crypto/aes"
	"crypto/ecdh"
	stdhkdf "crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

func TestHMACIsTheStandardLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 0, sha256.BlockSize).Draw(t, "key")
		message := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "message")
		want := hmac.New(sha256.New, key)
		want.Write(message)
		if got := hmacOnce(key, message); !bytes.Equal(got[:], want.Sum(nil)) {
			t.Fatalf("hmacOnce = %x, want %x", got, want.Sum(nil))
		}
		k := newHMACKey(key)
		for range 2 { // a key serves for many messages
			if got := k.mac(message); !bytes.Equal(got[:], want.Sum(nil)) {
				t.Fatalf("mac = %x, want %x", got, want.Sum(nil))
			}
		}
	})
}

func TestHKDFIsTheStandardLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		salt := rapid.SliceOfN(rapid.Byte(), 0, sha256.BlockSize).Draw(t, "salt")
		ikm := rapid.SliceOfN(rapid.Byte(), 1, 128).Draw(t, "ikm")
		info := rapid.StringN(0, maxInfo, maxInfo).Draw(t, "info")
		got := make([]byte, rapid.IntRange(1, 200).Draw(t, "size"))
		hkdf(got, salt, ikm, info)
		want, err := stdhkdf.Key(sha256.New, ikm, salt, info, len(got))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("hkdf = %x, want %x", got, want)
		}
	})
}

// TestZeroSalt: no salt and 32 zero bytes are one salt.
func TestZeroSalt(t *testing.T) {
	var none, zeros [80]byte
	hkdf(none[:], nil, []byte("ikm"), "OLM_KEYS")
	hkdf(zeros[:], make([]byte, 32), []byte("ikm"), "OLM_KEYS")
	if none != zeros {
		t.Error("a salt of zeros differs from none")
	}
}

func TestPublicKeyIsTheStandardLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		private := drawKey(t, "private")
		want, err := ecdh.X25519().NewPrivateKey(private[:])
		if err != nil {
			t.Fatal(err)
		}
		if got := NewKeyPair(private).Public(); !bytes.Equal(got[:], want.PublicKey().Bytes()) {
			t.Fatalf("public key of %x = %x, want %x", private, got, want.PublicKey().Bytes())
		}
	})
}

func TestSharedSecretIsTheStandardLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		private, peer := drawKey(t, "private"), PublicKey(drawKey(t, "peer"))
		checkSharedSecret(t, private, peer)
	})
}

// checkSharedSecret compares with crypto/ecdh, which refuses all-zero results too.
func checkSharedSecret(t interface {
	Helper()
	Fatalf(string, ...any)
}, private PrivateKey, peer PublicKey) {
	t.Helper()
	got, err := private.agree(&peer)
	ours, _ := ecdh.X25519().NewPrivateKey(private[:])
	theirs, _ := ecdh.X25519().NewPublicKey(peer[:])
	want, wantErr := ours.ECDH(theirs)
	switch {
	case wantErr != nil && !errors.Is(err, ErrZeroSecret):
		t.Fatalf("shared secret with %x: %v, want ErrZeroSecret", peer, err)
	case wantErr == nil && (err != nil || !bytes.Equal(got[:], want)):
		t.Fatalf("shared secret with %x = %x, %v, want %x", peer, got, err, want)
	}
}

func drawKey(t *rapid.T, name string) [32]byte {
	return [32]byte(rapid.SliceOfN(rapid.Byte(), keySize, keySize).Draw(t, name))
}

// lowOrder are the points whose multiples by a clamped scalar are zero, in all
// their encodings: reduced, plus p, and each with the ignored highest bit set.
func lowOrder() (keys []PublicKey) {
	p := PublicKey{0: 0xed, 31: 0x7f}
	for i := 1; i < 31; i++ {
		p[i] = 0xff
	}
	lowByte := func(b byte) PublicKey { k := p; k[0] = b; return k }
	order8a := mustKey("4Ot6fDtBuK4WVuP68Z/EatoJjeucMrH9hmIFFl9JuAA")
	order8b := mustKey("X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc")
	keys = []PublicKey{{}, {1}, order8a, order8b, lowByte(0xec), p, lowByte(0xee)}
	for _, k := range keys {
		k[31] |= 0x80
		keys = append(keys, k)
	}
	return keys
}

func mustKey(s string) PublicKey {
	k, err := ParsePublicKey(s)
	if err != nil {
		panic(err)
	}
	return k
}

func TestLowOrderKeysAreRefused(t *testing.T) {
	var private PrivateKey
	rand.Read(private[:])
	for _, k := range lowOrder() {
		checkSharedSecret(t, private, k)
		if _, err := private.agree(&k); !errors.Is(err, ErrZeroSecret) {
			t.Errorf("low-order key %x: %v, want ErrZeroSecret", k, err)
		}
	}
}

func TestPaddingOfEveryLength(t *testing.T) {
	for n := range 70 {
		b := appendPadding(bytes.Repeat([]byte{0xAA}, n), n)
		if got, ok := unpad(b); got != n || ok != 1 {
			t.Errorf("unpad of %d padded bytes = %d, %d", n, got, ok)
		}
		if len(b) != paddedSize(n) || len(b)%aes.BlockSize != 0 || len(b) <= n || len(b) > n+aes.BlockSize {
			t.Errorf("%d bytes are padded to %d", n, len(b))
		}
	}
}

func TestBadPaddingIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOfN(rapid.Byte(), 2*aes.BlockSize, 2*aes.BlockSize).Draw(t, "block")
		size := rapid.IntRange(0, 255).Draw(t, "size")
		for i := max(0, len(b)-size); i < len(b); i++ {
			b[i] = byte(size)
		}
		want := 0
		if 1 <= size && size <= aes.BlockSize {
			want = 1
			if size > 1 && rapid.Bool().Draw(t, "spoil") {
				b[len(b)-rapid.IntRange(2, size).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
				want = 0
			}
		}
		b[len(b)-1] = byte(size)
		if _, ok := unpad(b); ok != want {
			t.Fatalf("unpad(%x) = %d, want %d", b, ok, want)
		}
	})
}
