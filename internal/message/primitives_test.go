package message

import (
	"bytes"
	"crypto/aes"
	stdhkdf "crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"testing"

	"pgregory.net/rapid"
)

func TestHMACIsTheStandardLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOfN(rapid.Byte(), 0, sha256.BlockSize).Draw(t, "key")
		message := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "message")
		want := hmac.New(sha256.New, key)
		want.Write(message)
		if got := HMAC(key, message); !bytes.Equal(got[:], want.Sum(nil)) {
			t.Fatalf("HMAC = %x, want %x", got, want.Sum(nil))
		}
		k := NewHMACKey(key)
		for range 2 { // a key serves for many messages
			if got := k.MAC(message); !bytes.Equal(got[:], want.Sum(nil)) {
				t.Fatalf("MAC = %x, want %x", got, want.Sum(nil))
			}
		}
	})
}

func TestHKDFIsTheStandardLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		salt := rapid.SliceOfN(rapid.Byte(), 0, sha256.BlockSize).Draw(t, "salt")
		ikm := rapid.SliceOfN(rapid.Byte(), 1, 128).Draw(t, "ikm")
		info := rapid.StringN(0, MaxInfo, MaxInfo).Draw(t, "info")
		got := make([]byte, rapid.IntRange(1, 200).Draw(t, "size"))
		HKDF(got, salt, ikm, info)
		want, err := stdhkdf.Key(sha256.New, ikm, salt, info, len(got))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("HKDF = %x, want %x", got, want)
		}
	})
}

// TestZeroSalt: no salt and 32 zero bytes are one salt.
func TestZeroSalt(t *testing.T) {
	var none, zeros [80]byte
	HKDF(none[:], nil, []byte("ikm"), "OLM_KEYS")
	HKDF(zeros[:], make([]byte, 32), []byte("ikm"), "OLM_KEYS")
	if none != zeros {
		t.Error("a salt of zeros differs from none")
	}
}

func TestPaddingOfEveryLength(t *testing.T) {
	for n := range 70 {
		b := appendPadding(bytes.Repeat([]byte{0xAA}, n), n)
		if got, ok := unpad(b); got != n || ok != 1 {
			t.Errorf("unpad of %d padded bytes = %d, %d", n, got, ok)
		}
		if len(b) != PaddedSize(n) || len(b)%aes.BlockSize != 0 || len(b) <= n || len(b) > n+aes.BlockSize {
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
