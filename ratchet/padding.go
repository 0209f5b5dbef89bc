package ratchet

import (
	"crypto/aes"
	"crypto/subtle"
)

// paddedSize is the length of n bytes with PKCS#7 padding: at least one more.
func paddedSize(n int) int { return n - n%aes.BlockSize + aes.BlockSize }

// appendPadding appends the PKCS#7 padding (RFC 5652, section 6.3) of a
// plaintext of n bytes.
func appendPadding(b []byte, n int) []byte {
	size := paddedSize(n) - n
	var padding [aes.BlockSize]byte
	for i := range padding {
		padding[i] = byte(size)
	}
	return append(b, padding[:size]...)
}

// unpad returns how many bytes come before the padding of b, which is whole
// blocks and at least one, and 1 if the padding is good, else 0. It looks at
// the same bytes whatever they are.
func unpad(b []byte) (n, ok int) {
	size := int(b[len(b)-1])
	ok = subtle.ConstantTimeLessOrEq(1, size) & subtle.ConstantTimeLessOrEq(size, aes.BlockSize)
	for i := 1; i <= aes.BlockSize; i++ {
		inside := subtle.ConstantTimeLessOrEq(i, size)
		equal := subtle.ConstantTimeByteEq(b[len(b)-i], byte(size))
		ok &= subtle.ConstantTimeSelect(inside, equal, 1)
	}
	return len(b) - subtle.ConstantTimeSelect(ok, size, 0), ok
}
