package machine

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn/seal"
)

// Encoded is the codec of a type that encodes itself into a buffer of its own. It is
// written as a value, which no function makes when the program starts: so the linker
// leaves out kinds of records that a program does not use.
type Encoded[T interface{ Encode() ([]byte, error) }] struct {
	Read func([]byte) (T, error)
}

// Append implements txn.Codec.
func (Encoded[T]) Append(dst []byte, v T) ([]byte, error) {
	b, err := v.Encode()
	if err != nil || dst == nil {
		return b, err
	}
	dst = append(dst, b...)
	clear(b) // a plaintext: only dst is wiped by its owner
	return dst, nil
}

// Decode implements txn.Codec.
func (c Encoded[T]) Decode(b []byte) (T, error) {
	v, err := c.Read(b)
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
