package txn

import (
	"encoding/base64"
	"fmt"
)

// Sealer encrypts values together with their key path and blinds names.
// Package seal has the real one. Its methods may be called from any number of
// goroutines.
type Sealer interface {
	// Seal appends the sealed plaintext to dst, which may be nil.
	Seal(dst []byte, path string, plaintext []byte) []byte
	// Open appends the plaintext to dst, which may be nil. It fails if sealed
	// is damaged or was not sealed for this path. It does not change sealed.
	Open(dst []byte, path string, sealed []byte) ([]byte, error)
	// Blind returns a path segment that stands for a name: the same for the
	// same name, another for any other, longer than one byte, without '/'.
	Blind(name string) string
}

// Plaintext is a Sealer that hides nothing, for tests and simulations. It
// binds a value to its path as a real one does, so that a moved entry shows.
var Plaintext Sealer = plaintext{}

type plaintext struct{}

func (plaintext) Seal(dst []byte, path string, p []byte) []byte {
	dst = append(dst, path...)
	dst = append(dst, 0)
	return append(dst, p...)
}

func (plaintext) Open(dst []byte, path string, sealed []byte) ([]byte, error) {
	n := len(path)
	if len(sealed) <= n || string(sealed[:n]) != path || sealed[n] != 0 {
		return nil, fmt.Errorf("the value does not belong to this key")
	}
	return append(dst, sealed[n+1:]...), nil
}

// Blind keeps short plain words readable and encodes all other names.
func (plaintext) Blind(name string) string {
	for i := range len(name) {
		if c := name[i]; c < 'a' || c > 'z' {
			return "." + base64.RawURLEncoding.EncodeToString([]byte(name))
		}
	}
	return "=" + name
}
