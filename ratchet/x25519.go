package ratchet

import (
	"crypto/subtle"

	"filippo.io/edwards25519"
	"github.com/cloudflare/circl/dh/x25519"
)

// publicOf multiplies the base point by a private key: with the tables of the
// Edwards form and one conversion this takes half the time of the ladder.
func publicOf(private *[32]byte) PublicKey {
	s, err := edwards25519.NewScalar().SetBytesWithClamping(private[:])
	if err != nil {
		panic("ratchet: a scalar of 32 bytes was refused") // it fails for other lengths only
	}
	return PublicKey(new(edwards25519.Point).ScalarBaseMult(s).BytesMontgomery())
}

// sharedSecret is X25519 (RFC 7748, section 5) of a private and a peer's key.
// It fails with [ErrZeroSecret] when the peer's key is of low order.
func sharedSecret(private *[32]byte, peer *PublicKey) (out [32]byte, err error) {
	ok := x25519.Shared((*x25519.Key)(&out), (*x25519.Key)(private), (*x25519.Key)(peer))
	var zero [32]byte
	if !ok || subtle.ConstantTimeCompare(out[:], zero[:]) == 1 {
		return zero, ErrZeroSecret
	}
	return out, nil
}
