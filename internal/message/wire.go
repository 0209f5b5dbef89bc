package message

import (
	"encoding/binary"
	"fmt"
)

// Version is the one message version sent and accepted. Matrix has no other.
const Version = 3

// Wire types of protobuf that messages use.
const (
	Varint = 0
	Bytes  = 2
)

// Field is one tagged value of a message: a number or bytes.
type Field struct {
	Tag    uint64 // field number << 3 | wire type
	Number uint64 // of wire type Varint
	Bytes  []byte // of wire type Bytes, a part of the message
}

// ReadField reads the first field of b and returns what follows. The error says
// what is wrong with it.
func ReadField(b []byte) (f Field, rest []byte, err error) {
	f.Tag, rest, err = readTag(b)
	if err != nil {
		return f, nil, err
	}
	switch f.Tag & 7 {
	case Varint:
		f.Number, rest, err = readVarint(rest)
	case Bytes:
		f.Bytes, rest, err = readBytes(rest)
	default:
		err = fmt.Errorf("field of wire type %d", f.Tag&7)
	}
	return f, rest, err
}

// readTag refuses field number 0, which protobuf forbids, and tags that are
// longer than needed: some decoders take such a tag for the field it spells
// and some for an unknown one.
func readTag(b []byte) (tag uint64, rest []byte, err error) {
	tag, rest, err = readVarint(b)
	switch {
	case err != nil:
		return 0, nil, err
	case len(b)-len(rest) != VarintSize(tag):
		return 0, nil, fmt.Errorf("field tag is not in its shortest form")
	case tag>>3 == 0:
		return 0, nil, fmt.Errorf("field number 0")
	}
	return tag, rest, nil
}

func readBytes(b []byte) (value, rest []byte, err error) {
	n, rest, err := readVarint(b)
	if err != nil {
		return nil, nil, err
	}
	if n > uint64(len(rest)) {
		return nil, nil, fmt.Errorf("field of %d bytes in a message with %d left", n, len(rest))
	}
	return rest[:n:n], rest[n:], nil
}

// AppendBytes appends a field of bytes.
func AppendBytes(b []byte, tag byte, value []byte) []byte {
	return append(AppendHeader(b, tag, len(value)), value...)
}

// AppendHeader begins a field of n bytes.
func AppendHeader(b []byte, tag byte, n int) []byte {
	return binary.AppendUvarint(append(b, tag), uint64(n))
}

// BytesSize is the length of a field of n bytes with its tag.
func BytesSize(n int) int { return 1 + VarintSize(uint64(n)) + n }

// readVarint reads a little-endian base-128 number of at most 64 bits. An
// encoding that is longer than needed is a number all the same, as in protobuf.
func readVarint(b []byte) (v uint64, rest []byte, err error) {
	v, n := binary.Uvarint(b)
	switch {
	case n == 0:
		return 0, nil, fmt.Errorf("number is cut off")
	case n < 0:
		return 0, nil, fmt.Errorf("number has more than 64 bits")
	}
	return v, b[n:], nil
}

// VarintSize is the length of v in its shortest encoding, which we emit.
func VarintSize(v uint64) int {
	n := 1
	for ; v >= 0x80; v >>= 7 {
		n++
	}
	return n
}
