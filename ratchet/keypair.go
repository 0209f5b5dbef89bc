package ratchet

import (
	"fmt"
	"io"

	"github.com/pawlkv/pawl/internal/secret"
)

// KeyPair is a Curve25519 key pair. The zero KeyPair holds no key.
type KeyPair struct {
	secret.Guard
	public  PublicKey
	private secret.Key
}

// GenerateKeyPair makes a key pair of 32 bytes read from rand, which must be
// a cryptographic source. The error is rand's.
func GenerateKeyPair(rand io.Reader) (KeyPair, error) {
	var private [32]byte
	if _, err := io.ReadFull(rand, private[:]); err != nil {
		return KeyPair{}, fmt.Errorf("ratchet: random bytes for a key: %w", err)
	}
	return NewKeyPair(private), nil
}

// NewKeyPair computes the public part of a private key. The 32 bytes are kept
// as given and clamped (RFC 7748, section 5) wherever they are used.
func NewKeyPair(private [32]byte) KeyPair {
	return RestoreKeyPair(publicOf(&private), private)
}

// RestoreKeyPair joins the two parts of a key pair kept in a record. It
// computes nothing: the caller vouches that they belong together.
func RestoreKeyPair(public PublicKey, private [32]byte) KeyPair {
	return KeyPair{public: public, private: secret.Hide(private)}
}

// Public returns the public part.
func (k KeyPair) Public() PublicKey { return k.public }

// Private returns the private part, for records and pickles only.
func (k KeyPair) Private() [32]byte { return k.private.Reveal() }

// IsZero reports whether k holds no key.
func (k KeyPair) IsZero() bool { return k.private.IsZero() }
