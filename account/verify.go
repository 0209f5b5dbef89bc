package account

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"fmt"
)

// VerifyKey is an Ed25519 public key: a device's fingerprint key.
type VerifyKey [32]byte

// Signature is an Ed25519 signature.
type Signature [64]byte

// unpadded refuses padding and stray bits in the last character. It skips line
// breaks, so lengths are checked too.
var unpadded = base64.RawStdEncoding.Strict()

// String returns the key in unpadded base64, 43 characters.
func (k VerifyKey) String() string { return unpadded.EncodeToString(k[:]) }

// String returns the signature in unpadded base64, 86 characters.
func (s Signature) String() string { return unpadded.EncodeToString(s[:]) }

// ParseVerifyKey reads what String writes and nothing else, else [ErrKey].
func ParseVerifyKey(s string) (k VerifyKey, err error) {
	if !decodeExactly(k[:], s) {
		return VerifyKey{}, fmt.Errorf("%w: want %d characters of unpadded base64", ErrKey, unpadded.EncodedLen(len(k)))
	}
	return k, nil
}

// ParseSignature reads what String writes and nothing else, else [ErrSignature].
func ParseSignature(s string) (sig Signature, err error) {
	if !decodeExactly(sig[:], s) {
		return Signature{}, fmt.Errorf("%w: want %d characters of unpadded base64", ErrSignature, unpadded.EncodedLen(len(sig)))
	}
	return sig, nil
}

func decodeExactly(dst []byte, s string) bool {
	if len(s) != unpadded.EncodedLen(len(dst)) {
		return false
	}
	b, err := unpadded.DecodeString(s)
	return err == nil && copy(dst, b) == len(dst) && len(b) == len(dst)
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
