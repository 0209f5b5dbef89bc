package ratchet

import "encoding/binary"

// version is the one message version sent and accepted. Matrix has no other.
const version = 3

// Wire types of protobuf that messages use.
const (
	wireVarint = 0
	wireBytes  = 2
)

// field is one tagged value of a message: a number or bytes.
type field struct {
	tag    uint64 // field number << 3 | wire type
	number uint64 // of wire type wireVarint
	bytes  []byte // of wire type wireBytes, a part of the message
}

// readField reads the first field of b and returns what follows.
func readField(b []byte) (f field, rest []byte, err error) {
	f.tag, rest, err = readTag(b)
	if err != nil {
		return f, nil, err
	}
	switch f.tag & 7 {
	case wireVarint:
		f.number, rest, err = readVarint(rest)
	case wireBytes:
		f.bytes, rest, err = readBytes(rest)
	default:
		err = malformed("field of wire type %d", f.tag&7)
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
	case len(b)-len(rest) != varintSize(tag):
		return 0, nil, malformed("field tag is not in its shortest form")
	case tag>>3 == 0:
		return 0, nil, malformed("field number 0")
	}
	return tag, rest, nil
}

func readBytes(b []byte) (value, rest []byte, err error) {
	n, rest, err := readVarint(b)
	if err != nil {
		return nil, nil, err
	}
	if n > uint64(len(rest)) {
		return nil, nil, malformed("field of %d bytes in a message with %d left", n, len(rest))
	}
	return rest[:n:n], rest[n:], nil
}

// readVersion checks the first byte of a message.
func readVersion(b []byte) (rest []byte, err error) {
	if len(b) == 0 {
		return nil, malformed("empty message")
	}
	if b[0] != version {
		return nil, &VersionError{Version: b[0]}
	}
	return b[1:], nil
}

// readKey checks a field that must be a public key.
func readKey(b []byte, what string) (PublicKey, error) {
	if len(b) != keySize {
		return PublicKey{}, malformed("%s of %d bytes, want %d", what, len(b), keySize)
	}
	return PublicKey(b), nil
}

func appendBytes(b []byte, tag byte, value []byte) []byte {
	return append(appendHeader(b, tag, len(value)), value...)
}

// appendHeader begins a field of n bytes.
func appendHeader(b []byte, tag byte, n int) []byte {
	return binary.AppendUvarint(append(b, tag), uint64(n))
}

// bytesSize is the length of a field of n bytes with its tag.
func bytesSize(n int) int { return 1 + varintSize(uint64(n)) + n }

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
