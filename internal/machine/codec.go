package machine

import "github.com/pawlkv/pawl/txn"

// Encoded returns the codec of a type that encodes itself into a buffer of its
// own.
func Encoded[T interface{ Encode() ([]byte, error) }](decode func([]byte) (T, error)) txn.Codec[T] {
	return encoded[T]{decode}
}

type encoded[T interface{ Encode() ([]byte, error) }] struct {
	decode func([]byte) (T, error)
}

// Append implements txn.Codec.
func (encoded[T]) Append(dst []byte, v T) ([]byte, error) {
	b, err := v.Encode()
	if err != nil || dst == nil {
		return b, err
	}
	dst = append(dst, b...)
	clear(b) // a plaintext: only dst is wiped by its owner
	return dst, nil
}

// Decode implements txn.Codec.
func (c encoded[T]) Decode(b []byte) (T, error) { return c.decode(b) }
