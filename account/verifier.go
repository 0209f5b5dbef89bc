package account

import "filippo.io/edwards25519"

// Verifier is a [VerifyKey] for many signatures: it keeps the point that the key
// encodes, which [Verify] decodes anew each time, a tenth of its work. All in it is
// public. It never changes, and is safe for concurrent use.
type Verifier struct {
	key   VerifyKey
	minus *edwards25519.Point // -A, nil for a key that verifies nothing
}

// Verifier returns the verifier of the key. That of a key which Verify refuses
// refuses every signature too.
func (k VerifyKey) Verifier() *Verifier {
	v := &Verifier{key: k}
	if !isStrict([32]byte(k)) {
		return v
	}
	if a, err := new(edwards25519.Point).SetBytes(k[:]); err == nil {
		v.minus = a.Negate(a)
	}
	return v
}

// Key returns the key that it is of, the zero VerifyKey for nil.
func (v *Verifier) Key() VerifyKey {
	if v == nil {
		return VerifyKey{}
	}
	return v.key
}

// Verify is [Verify] with its key: it takes the same signatures, and fails with
// [ErrSignature] for all others.
func (v *Verifier) Verify(message []byte, signature Signature) error {
	if v == nil || v.minus == nil || !isStrict([32]byte(signature[:32])) {
		return ErrSignature
	}
	// RFC 8032, section 5.1.7, step 1: S must be below the group order.
	s, err := edwards25519.NewScalar().SetCanonicalBytes(signature[32:])
	if err != nil {
		return ErrSignature
	}
	// Step 3 without the cofactor, as the standard library does it: [S]B - [k]A is
	// the very R, compared as bytes. All is public, so time may tell of it.
	k := hashToScalar(signature[:32], v.key[:], message)
	r := new(edwards25519.Point).VarTimeDoubleScalarBaseMult(k, v.minus, s)
	if [32]byte(r.Bytes()) != [32]byte(signature[:32]) {
		return ErrSignature
	}
	return nil
}
