// Package messagetest makes pieces of messages, also in encodings that we do not emit.
package messagetest

import (
	"bytes"
	"encoding/binary"
)

// Join is the parts one behind the other.
func Join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// BytesField is a field of bytes.
func BytesField(tag uint64, value []byte) []byte {
	return Join(binary.AppendUvarint(nil, tag), binary.AppendUvarint(nil, uint64(len(value))), value)
}

// NumberField is a field of a number.
func NumberField(tag, value uint64) []byte {
	return Join(binary.AppendUvarint(nil, tag), binary.AppendUvarint(nil, value))
}

// Overlong is v with n bytes more than it needs.
func Overlong(v uint64, n int) []byte {
	b := binary.AppendUvarint(nil, v)
	b[len(b)-1] |= 0x80
	for range n - 1 {
		b = append(b, 0x80)
	}
	return append(b, 0)
}
