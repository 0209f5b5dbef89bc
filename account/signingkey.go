package account

import (
	"crypto/sha512"
	"fmt"
	"io"

	"filippo.io/edwards25519"

	"github.com/pawlkv/pawl/internal/secret"
)

// SigningKey is an Ed25519 key pair in expanded form.
type SigningKey struct {
	secret.Guard
	public   VerifyKey
	expanded secret.Value[[64]byte] // scalar || prefix
}

// GenerateSigningKey makes a key of 32 bytes read from rand, which must be a
// cryptographic source. The error is rand's.
func GenerateSigningKey(rand io.Reader) (SigningKey, error) {
	var seed [32]byte
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return SigningKey{}, fmt.Errorf("account: random bytes for a signing key: %w", err)
	}
	return SeedSigningKey(seed), nil
}

// SeedSigningKey returns the key of an RFC 8032 private key, the seed.
func SeedSigningKey(seed [32]byte) SigningKey {
	return ExpandedSigningKey(sha512.Sum512(seed[:]))
}

// ExpandedSigningKey returns the key of a scalar, clamped here if it is not,
// and a prefix, each 32 bytes: the form in libolm's pickles.
func ExpandedSigningKey(expanded [64]byte) SigningKey {
	public := new(edwards25519.Point).ScalarBaseMult(scalarOf(&expanded))
	return restoreSigningKey(VerifyKey(public.Bytes()), expanded)
}

// restoreSigningKey joins the two parts kept in a record and computes nothing.
func restoreSigningKey(public VerifyKey, expanded [64]byte) SigningKey {
	return SigningKey{public: public, expanded: secret.Hide(expanded)}
}

// Public returns the verification key.
func (k SigningKey) Public() VerifyKey { return k.public }

// Expanded returns scalar and prefix, for records and pickles only.
func (k SigningKey) Expanded() [64]byte { return k.expanded.Reveal() }

// Sign returns the signature of RFC 8032, section 5.1.6, over message. The
// zero SigningKey returns the zero Signature, which never verifies.
func (k SigningKey) Sign(message []byte) (sig Signature) {
	expanded := k.expanded.Peek()
	if expanded == nil {
		return Signature{}
	}
	r := hashToScalar(expanded[32:], message)
	R := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	c := hashToScalar(R, k.public[:], message)
	S := edwards25519.NewScalar().MultiplyAdd(c, scalarOf(expanded), r).Bytes()
	copy(sig[:32], R)
	copy(sig[32:], S)
	return sig
}

func scalarOf(expanded *[64]byte) *edwards25519.Scalar {
	s, err := edwards25519.NewScalar().SetBytesWithClamping(expanded[:32])
	if err != nil {
		panic("account: a scalar of 32 bytes was refused") // it fails for other lengths only
	}
	return s
}

// hashToScalar is SHA-512 of the parts, modulo the group order.
func hashToScalar(parts ...[]byte) *edwards25519.Scalar {
	h := sha512.New()
	for _, part := range parts {
		h.Write(part)
	}
	var sum [64]byte
	s, err := edwards25519.NewScalar().SetUniformBytes(h.Sum(sum[:0]))
	if err != nil {
		panic("account: a hash of 64 bytes was refused") // it fails for other lengths only
	}
	return s
}
