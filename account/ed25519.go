package account

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"io"

	"filippo.io/edwards25519"

	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/internal/unpadded"
)

// VerifyKey is an Ed25519 public key: a device's fingerprint key.
type VerifyKey [32]byte

// Signature is an Ed25519 signature.
type Signature [64]byte

// SigningKey is an Ed25519 key pair in expanded form.
type SigningKey struct {
	secret.Guard
	public   VerifyKey
	expanded secret.Value[ExpandedKey]
}

// Seed is an RFC 8032 private key, of which a SigningKey is made.
type Seed [32]byte

// ExpandedKey is a scalar and a prefix, each 32 bytes: a SigningKey in records
// and in libolm's pickles. Like Seed it redacts itself under every verb of fmt
// but %p, and not in an unexported field: keep both in local variables.
type ExpandedKey [64]byte

// Format implements [fmt.Formatter] for every verb and flag.
func (Seed) Format(s fmt.State, verb rune) { secret.Guard{}.Format(s, verb) }

// MarshalJSON always fails.
func (Seed) MarshalJSON() ([]byte, error) { return secret.Guard{}.MarshalJSON() }

// Format implements [fmt.Formatter] for every verb and flag.
func (ExpandedKey) Format(s fmt.State, verb rune) { secret.Guard{}.Format(s, verb) }

// MarshalJSON always fails.
func (ExpandedKey) MarshalJSON() ([]byte, error) { return secret.Guard{}.MarshalJSON() }

// GenerateSigningKey makes a key of 32 bytes read from rand, which must be a
// cryptographic source. The error is rand's.
func GenerateSigningKey(rand io.Reader) (SigningKey, error) {
	var seed Seed
	if _, err := io.ReadFull(rand, seed[:]); err != nil {
		return SigningKey{}, fmt.Errorf("account: random bytes for a signing key: %w", err)
	}
	return SeedSigningKey(seed), nil
}

// SeedSigningKey returns the key of a seed.
func SeedSigningKey(seed Seed) SigningKey {
	return ExpandedSigningKey(sha512.Sum512(seed[:]))
}

// ExpandedSigningKey returns the key of a scalar, clamped here if it is not,
// and a prefix.
func ExpandedSigningKey(expanded ExpandedKey) SigningKey {
	public := new(edwards25519.Point).ScalarBaseMult(expanded.scalar())
	return RestoreSigningKey(VerifyKey(public.Bytes()), expanded)
}

// RestoreSigningKey joins the two parts kept in a record. It computes nothing: the
// caller vouches that they belong together.
func RestoreSigningKey(public VerifyKey, expanded ExpandedKey) SigningKey {
	return SigningKey{public: public, expanded: secret.Hide(expanded)}
}

// Public returns the verification key.
func (k SigningKey) Public() VerifyKey { return k.public }

// Expanded returns scalar and prefix, for records and pickles only.
func (k SigningKey) Expanded() ExpandedKey { return k.expanded.Reveal() }

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
	S := edwards25519.NewScalar().MultiplyAdd(c, expanded.scalar(), r).Bytes()
	copy(sig[:32], R)
	copy(sig[32:], S)
	return sig
}

func (k *ExpandedKey) scalar() *edwards25519.Scalar {
	s, err := edwards25519.NewScalar().SetBytesWithClamping(k[:32])
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

// String returns the key in unpadded base64, 43 characters.
func (k VerifyKey) String() string { return unpadded.Encode(k[:]) }

// String returns the signature in unpadded base64, 86 characters.
func (s Signature) String() string { return unpadded.Encode(s[:]) }

// ParseVerifyKey reads base64 of 32 bytes, with padding or without, else [ErrKey].
// Others may write one key in more than one way: compare keys, not texts.
func ParseVerifyKey(s string) (k VerifyKey, err error) {
	if !unpadded.DecodeTo(k[:], s) {
		return VerifyKey{}, fmt.Errorf("%w: want %d bytes in unpadded base64", ErrKey, len(k))
	}
	return k, nil
}

// IsPoint reports that the bytes are those of a point: no signature is ever that of
// others, and some readers of keys refuse them, with all that stands beside them.
func (k VerifyKey) IsPoint() bool {
	_, err := new(edwards25519.Point).SetBytes(k[:])
	return err == nil
}

// ParseSignature is the same for the 64 bytes of a signature, with [ErrSignature].
func ParseSignature(s string) (sig Signature, err error) {
	if !unpadded.DecodeTo(sig[:], s) {
		return Signature{}, fmt.Errorf("%w: want %d bytes in unpadded base64", ErrSignature, len(sig))
	}
	return sig, nil
}

// Verify fails with [ErrSignature] unless signature is key's over message.
//
// It is stricter than RFC 8032 requires. The key and R must be canonical and
// not of low order, and S below the group order: a key of low order verifies
// signatures for messages nobody signed.
func Verify(key VerifyKey, message []byte, signature Signature) error {
	if !isStrict([32]byte(key)) || !isStrict([32]byte(signature[:32])) {
		return ErrSignature
	}
	// It checks S, and compares R as bytes with the one computed.
	if !ed25519.Verify(key[:], message, signature[:]) {
		return ErrSignature
	}
	return nil
}

// isStrict reports that the y coordinate of an encoded point is below
// 2^255-19 and not that of one of the eight points of low order. (Only points
// of low order have x = 0, where the sign would have two encodings.)
func isStrict(point [32]byte) bool {
	point[31] &= 0x7f // the sign of x
	for _, y := range lowOrder {
		if point == y {
			return false
		}
	}
	for i := 31; i > 0; i-- {
		if limit := fieldPrime[i]; point[i] != limit {
			return point[i] < limit
		}
	}
	return point[0] < fieldPrime[0]
}

// fieldPrime is 2^255-19, little-endian.
var fieldPrime = y("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")

// lowOrder are the y coordinates of the points whose order divides 8,
// little-endian: 1, -1, 0, and two that x and -x share, of order 8.
var lowOrder = [...][32]byte{
	y("0100000000000000000000000000000000000000000000000000000000000000"),
	y("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
	y("0000000000000000000000000000000000000000000000000000000000000000"),
	y("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
	y("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
}

func y(digits string) (out [32]byte) {
	b, err := hex.DecodeString(digits)
	if err != nil || copy(out[:], b) != len(out) {
		panic("account: a coordinate of 64 digits is wrong")
	}
	return out
}
