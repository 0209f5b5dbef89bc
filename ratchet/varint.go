package ratchet

import "encoding/binary"

// readVarint reads a little-endian base-128 number of at most 64 bits. An
// encoding that is longer than needed is a number all the same, as in protobuf.
func readVarint(b []byte) (v uint64, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	switch {
	case n == 0:
		return 0, nil, malformed("number is cut off")
	case n < 0:
		return 0, nil, malformed("number has more than 64 bits")
	}
	return v, b[n:], nil
}

// varintSize is the length of v in its shortest encoding, which we emit.
func varintSize(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
