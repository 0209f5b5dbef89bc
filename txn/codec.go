package txn

import (
	"bytes"
	"encoding"
	"encoding/binary"
	"fmt"
	"reflect"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/pawlkv/pawl/kv"
)

// Codec turns values into bytes and back. The bytes begin with a format
// version. Its methods may be called from any number of goroutines.
type Codec[T any] interface {
	// Append appends the encoding of v to dst. It must not keep dst.
	Append(dst []byte, v T) ([]byte, error)
	// Decode returns the value encoded in b, which is Decode's to keep.
	// Trailing bytes are an error; so is a version that is not known, and that
	// error is a kv.ErrNewer: the record is not damaged.
	Decode(b []byte) (T, error)
}

// Binary returns the Codec of a type that encodes itself with AppendBinary.
func Binary[T encoding.BinaryAppender](decode func(b []byte) (T, error)) Codec[T] {
	return selfCoded[T]{decode}
}

type selfCoded[T encoding.BinaryAppender] struct {
	decode func([]byte) (T, error)
}

func (selfCoded[T]) Append(dst []byte, v T) ([]byte, error) { return v.AppendBinary(dst) }
func (c selfCoded[T]) Decode(b []byte) (T, error)           { return c.decode(b) }

// Msgpack returns a Codec for plain structs: the byte version, then the fields
// as a msgpack array in the order of their declaration. Every change of the
// fields is a new version; a record of another version is an [ErrFormat], and
// so is one with other fields or trailing bytes. Unexported fields are not
// stored (nor, therefore, hidden secrets), and a time.Time comes back in the
// local zone.
func Msgpack[T any](version byte) Codec[T] {
	return msgpackCodec[T]{version, hasFields(reflect.TypeFor[T]())}
}

type msgpackCodec[T any] struct {
	version  byte
	isStruct bool
}

// Append implements Codec.
func (c msgpackCodec[T]) Append(dst []byte, v T) ([]byte, error) {
	out := bytes.NewBuffer(append(dst, c.version))
	enc := msgpack.GetEncoder()
	defer msgpack.PutEncoder(enc)
	enc.Reset(out)
	enc.UseArrayEncodedStructs(true)
	enc.UseCompactInts(true)
	if err := enc.Encode(&v); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Decode implements Codec. Its errors quote nothing of b, which is secret.
func (c msgpackCodec[T]) Decode(b []byte) (v T, err error) {
	if len(b) == 0 || b[0] != c.version {
		return v, versionError(b, c.version)
	}
	if c.isStruct && (len(b) < 2 || !isArray(b[1])) {
		return v, fmt.Errorf("%w: not a %T", ErrFormat, v)
	}
	size, ok := valueSize(b[1:])
	switch {
	case ok && size != len(b)-1:
		return v, fmt.Errorf("%w: %d bytes follow the %T", ErrFormat, len(b)-1-size, v)
	case !ok || !decode(b[1:], &v):
		var zero T
		return zero, fmt.Errorf("%w: not a %T", ErrFormat, zero)
	}
	return v, nil
}

// decode reports whether b was decoded into v. The library panics on some
// input, such as null for a time.
func decode(b []byte, v any) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	dec := msgpack.GetDecoder()
	dec.Reset(bytes.NewReader(b))
	dec.DisallowUnknownFields(true)
	err := dec.Decode(v)
	msgpack.PutDecoder(dec)
	return err == nil
}

func versionError(b []byte, want byte) error {
	if len(b) == 0 {
		return fmt.Errorf("%w: the record is empty", ErrFormat)
	}
	if b[0] > want {
		return fmt.Errorf("%w: %w: version %d, this program reads %d", ErrFormat, kv.ErrNewer, b[0], want)
	}
	return fmt.Errorf("%w: version %d, this program reads %d", ErrFormat, b[0], want)
}

// isArray reports whether a msgpack value that begins with b is an array of at
// least one element. The library takes null, an empty array and a map for a
// struct too, which Append never writes.
func isArray(b byte) bool {
	return b > 0x90 && b <= 0x9f || b == 0xdc || b == 0xdd
}

func hasFields(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && t.NumField() > 0
}

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
