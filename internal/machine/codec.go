package machine

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

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
func (c encoded[T]) Decode(b []byte) (T, error) {
	v, err := c.decode(b)
	return v, Decoded(err)
}

// Decoded returns the error of decoding a record as txn wants it: one that a
// newer program wrote is a kv.ErrNewer.
func Decoded(err error) error {
	if errors.Is(err, record.ErrVersion) {
		return fmt.Errorf("%w: %w", kv.ErrNewer, err)
	}
	return err
}

// sealer opens and seals with the store's keyring.
type sealer struct{ seal.Keyring }

// Open implements txn.Sealer.
func (s sealer) Open(dst []byte, path string, sealed []byte) ([]byte, error) {
	b, err := s.Keyring.Open(dst, path, sealed)
	if errors.Is(err, seal.ErrVersion) {
		err = fmt.Errorf("%w: %w", kv.ErrNewer, err)
	}
	return b, err
}
