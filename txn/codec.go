package txn

import "encoding"

// Codec turns values into bytes and back. The bytes begin with a format
// version. Its methods may be called from any number of goroutines.
type Codec[T any] interface {
	// Append appends the encoding of v to dst. It must not keep dst.
	Append(dst []byte, v T) ([]byte, error)
	// Decode returns the value encoded in b, which is Decode's to keep.
	// Trailing bytes are an error; so is a version that is not known, and that
	// error is an ErrFormat where the record should be told from a damaged one.
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
