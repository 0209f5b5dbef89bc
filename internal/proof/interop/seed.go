package interop

import (
	cryptorand "crypto/rand"
	"encoding/binary"
	"io"
	"math/rand/v2"
)

// Seed makes all randomness of this process, libolm's and goolm's included,
// follow from seed, until restore is called. It replaces crypto/rand.Reader,
// so it is for tests and generators that run alone.
func Seed(seed uint64) (restore func()) {
	var key [32]byte
	binary.BigEndian.PutUint64(key[:], seed)
	before := cryptorand.Reader
	cryptorand.Reader = rand.NewChaCha8(key)
	return func() { cryptorand.Reader = before }
}

// Tape records what is read through it, so that the same bytes can be given
// to another implementation.
type Tape struct {
	Source io.Reader
	Bytes  []byte
}

// Read implements [io.Reader].
func (t *Tape) Read(p []byte) (int, error) {
	n, err := t.Source.Read(p)
	t.Bytes = append(t.Bytes, p[:n]...)
	return n, err
}

// RecordRandomness returns what f's callees read from crypto/rand.
func RecordRandomness(f func() error) ([]byte, error) {
	before := cryptorand.Reader
	t := &Tape{Source: before}
	cryptorand.Reader = t
	defer func() { cryptorand.Reader = before }()
	err := f()
	return t.Bytes, err
}
