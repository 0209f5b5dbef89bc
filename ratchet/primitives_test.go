package ratchet

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	"errors"
	"testing"

	"pgregory.net/rapid"
)

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
