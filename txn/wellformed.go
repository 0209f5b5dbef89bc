package txn

import "encoding/binary"

// shape is what follows a msgpack code: the bytes of a length or of a number,
// then that many bytes or elements. See the msgpack specification, "Formats".
type shape struct {
	length int  // bytes that hold the length; 0 if fixed
	fixed  int  // bytes or elements after the code (and length), length apart
	per    int  // elements for each unit of length: 1 in arrays, 2 in maps, 0 where it counts bytes
	bad    bool // a code that is never used
}

// shapes is indexed by code-0xc0, for the codes from 0xc0 to 0xdf.
var shapes = [32]shape{
	{}, {bad: true}, {}, {}, // nil, unused, false, true
	{length: 1}, {length: 2}, {length: 4}, // bin
	{length: 1, fixed: 1}, {length: 2, fixed: 1}, {length: 4, fixed: 1}, // ext and its type
	{fixed: 4}, {fixed: 8}, // float
	{fixed: 1}, {fixed: 2}, {fixed: 4}, {fixed: 8}, // uint
	{fixed: 1}, {fixed: 2}, {fixed: 4}, {fixed: 8}, // int
	{fixed: 2}, {fixed: 3}, {fixed: 5}, {fixed: 9}, {fixed: 17}, // fixext and its type
	{length: 1}, {length: 2}, {length: 4}, // str
	{length: 2, per: 1}, {length: 4, per: 1}, // array
	{length: 2, per: 2}, {length: 4, per: 2}, // map
}

// valueSize returns the size of the msgpack value that b begins with. It
// refuses lengths that b cannot hold: the library would allocate for them, and
// a length of four bytes can ask for all memory.
func valueSize(b []byte) (size int, ok bool) {
	for need := 1; need > 0; need-- {
		if size >= len(b) {
			return 0, false
		}
		skip, elements, ok := item(b[size:])
		need += elements
		// Each element takes a byte at least.
		if !ok || skip > len(b)-size || need > len(b) {
			return 0, false
		}
		size += skip
	}
	return size, true
}

// item returns the bytes of the code that b begins with and what belongs to it
// directly, and the number of elements that follow.
func item(b []byte) (skip, elements int, ok bool) {
	code := b[0]
	switch {
	case code < 0x80 || code >= 0xe0: // a small number
		return 1, 0, true
	case code < 0x90: // a small map
		return 1, 2 * int(code&0x0f), true
	case code < 0xa0: // a small array
		return 1, int(code & 0x0f), true
	case code < 0xc0: // a short string
		return 1 + int(code&0x1f), 0, true
	}
	s := shapes[code-0xc0]
	if s.bad || len(b) < 1+s.length {
		return 0, 0, false
	}
	length := bigEndian(b[1 : 1+s.length])
	if uint64(length) > uint64(len(b)) { // also keeps int from overflowing
		return 0, 0, false
	}
	n := int(length)
	if s.per > 0 {
		return 1 + s.length, n * s.per, true
	}
	return 1 + s.length + s.fixed + n, 0, true
}

func bigEndian(b []byte) uint32 {
	var full [4]byte
	copy(full[4-len(b):], b)
	return binary.BigEndian.Uint32(full[:])
}
