package txn

import (
	"bytes"
	"fmt"
	"reflect"

	"github.com/vmihailenco/msgpack/v5"
)

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
