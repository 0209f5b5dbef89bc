package ratchet

import "encoding/base64"

// encodedKeySize is 32 bytes in unpadded base64.
const encodedKeySize = 43

// unpadded refuses padding and stray bits in the last character.
var unpadded = base64.RawStdEncoding.Strict()

func encode32(b *[32]byte) string { return unpadded.EncodeToString(b[:]) }

// decode32 accepts the one canonical encoding of 32 bytes. The length check
// matters: the decoder skips line breaks.
func decode32(s, what string) (b [32]byte, err error) {
	if len(s) != encodedKeySize {
		return b, malformed("%s of %d characters, want %d of unpadded base64", what, len(s), encodedKeySize)
	}
	var buf [encodedKeySize]byte
	n, err := unpadded.Decode(buf[:], []byte(s))
	if err != nil || n != len(b) {
		return b, malformed("%s is not canonical unpadded base64", what)
	}
	copy(b[:], buf[:])
	return b, nil
}
