package ratchet

import (
	"crypto/subtle"
	"fmt"
	"io"

	"filippo.io/edwards25519"

	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/internal/unpadded"
)

// PublicKey is a Curve25519 public key: an identity key, a one-time key, a
// base key or a ratchet key. Any 32 bytes are one; the ones of low order are
// refused where they are used ([ErrZeroSecret]).
type PublicKey [32]byte

// PrivateKey is a Curve25519 private key outside of its [KeyPair], for records
// and pickles only. The 32 bytes are kept as given and clamped (RFC 7748,
// section 5) wherever they are used. It redacts itself under every verb of fmt
// but %p, and not in an unexported field: keep it in local variables.
type PrivateKey [32]byte

// Format implements [fmt.Formatter] for every verb and flag.
func (PrivateKey) Format(s fmt.State, verb rune) { secret.Guard{}.Format(s, verb) }

// MarshalJSON always fails.
func (PrivateKey) MarshalJSON() ([]byte, error) { return secret.Guard{}.MarshalJSON() }

// KeyPair is a Curve25519 key pair. The zero KeyPair holds no key.
type KeyPair struct {
	secret.Guard
	public  PublicKey
	private secret.Value[PrivateKey]
}

// GenerateKeyPair makes a key pair of 32 bytes read from rand, which must be
// a cryptographic source. The error is rand's.
func GenerateKeyPair(rand io.Reader) (KeyPair, error) {
	var private PrivateKey
	if _, err := io.ReadFull(rand, private[:]); err != nil {
		return KeyPair{}, fmt.Errorf("ratchet: random bytes for a key: %w", err)
	}
	return NewKeyPair(private), nil
}

// NewKeyPair computes the public part of a private key.
func NewKeyPair(private PrivateKey) KeyPair {
	return RestoreKeyPair(private.public(), private)
}

// RestoreKeyPair joins the two parts of a key pair kept in a record. It
// computes nothing: the caller vouches that they belong together.
func RestoreKeyPair(public PublicKey, private PrivateKey) KeyPair {
	return KeyPair{public: public, private: secret.Hide(private)}
}

// Public returns the public part.
func (k KeyPair) Public() PublicKey { return k.public }

// Private returns the private part, for records and pickles only.
func (k KeyPair) Private() PrivateKey { return k.private.Reveal() }

// IsZero reports whether k holds no key.
func (k KeyPair) IsZero() bool { return k.private.IsZero() }

// public multiplies the base point by the key: with the tables of the Edwards
// form and one conversion this takes half the time of the ladder.
func (k *PrivateKey) public() PublicKey {
	s, err := edwards25519.NewScalar().SetBytesWithClamping(k[:])
	if err != nil {
		panic("ratchet: a scalar of 32 bytes was refused") // it fails for other lengths only
	}
	return PublicKey(new(edwards25519.Point).ScalarBaseMult(s).BytesMontgomery())
}

// sharedSecret is what two key pairs agree on. Keys are derived from it; it is
// none itself.
type sharedSecret [32]byte

// agree is X25519 (RFC 7748, section 5). It fails with [ErrZeroSecret] when
// the peer's key is of low order.
func (k *PrivateKey) agree(peer *PublicKey) (out sharedSecret, err error) {
	multiply((*[32]byte)(&out), (*[32]byte)(k), (*[32]byte)(peer))
	var zero sharedSecret
	if subtle.ConstantTimeCompare(out[:], zero[:]) == 1 {
		return zero, ErrZeroSecret
	}
	return out, nil
}

// String returns the key in unpadded base64, 43 characters, as Matrix writes it.
func (k PublicKey) String() string { return encode32((*[32]byte)(&k)) }

// ParsePublicKey reads base64 of 32 bytes, with padding or without, else
// [ErrMalformed]. Others may write one key in more than one way: compare keys, not
// texts.
func ParsePublicKey(s string) (PublicKey, error) {
	b, err := decode32(s, "public key")
	return PublicKey(b), err
}

func encode32(b *[32]byte) string { return unpadded.Encode(b[:]) }

func decode32(s, what string) (b [32]byte, err error) {
	if !unpadded.DecodeTo(b[:], s) {
		return [32]byte{}, malformed("%s of %d characters, want 43 of unpadded base64", what, len(s))
	}
	return b, nil
}
