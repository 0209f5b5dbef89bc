// Package unpadded reads and writes bytes as Matrix does: in standard base64
// without padding (Matrix specification, appendices, "Unpadded Base64").
//
// What others write is read as they mean it: with padding or without, and
// whatever bits the last character has that belong to no byte. Two texts may so
// be the same bytes: compare what was decoded. Everything is safe for concurrent
// use.
package unpadded

import (
	"encoding/base64"
	"strings"
)

// encoding ignores the bits that belong to no byte.
var encoding = base64.RawStdEncoding

// Encode returns the one text that this program writes for the bytes.
func Encode(b []byte) string { return encoding.EncodeToString(b) }

// Append appends what Encode returns to dst.
func Append(dst, b []byte) []byte { return encoding.AppendEncode(dst, b) }

// Decode returns the bytes of a text, padded as it must be or not at all. It
// reports false for anything else, line breaks too.
func Decode(s string) ([]byte, bool) {
	s = Trim(s)
	if strings.ContainsAny(s, "\r\n") { // which the library passes over
		return nil, false
	}
	b, err := encoding.DecodeString(s)
	return b, err == nil
}

// DecodeTo fills dst, and reports false where the text is not of as many bytes.
// What is in dst counts for nothing then.
func DecodeTo(dst []byte, s string) bool {
	b, ok := Decode(s)
	return ok && len(b) == len(dst) && copy(dst, b) == len(dst)
}

// Trim returns a text without its padding, if that is as long as it must be.
func Trim(s string) string {
	if len(s)%4 != 0 {
		return s
	}
	return strings.TrimSuffix(strings.TrimSuffix(s, "="), "=")
}
