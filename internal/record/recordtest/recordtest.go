// Package recordtest holds what the tests of all records ask alike.
package recordtest

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/record"
)

// newest is the newest version of any record.
const newest = 3

// Encoder is a value with a record.
type Encoder interface{ Encode() ([]byte, error) }

// Stable fails unless in is refused with [record.ErrFormat] or
// [record.ErrVersion], or decodes to a value whose own record decodes to the
// same value.
func Stable[T Encoder](t *testing.T, in []byte, decode func([]byte) (T, error)) {
	t.Helper()
	v, err := decode(in)
	if err != nil {
		if !errors.Is(err, record.ErrFormat) && !errors.Is(err, record.ErrVersion) {
			t.Fatalf("%x is refused with %v", in, err)
		}
		return
	}
	once, err := v.Encode()
	if err != nil {
		t.Fatalf("%x is accepted and cannot be encoded: %v", in, err)
	}
	again, err := decode(once)
	if err != nil {
		t.Fatalf("%x is accepted, its record %x is not: %v", in, once, err)
	}
	if twice, err := again.Encode(); err != nil || !bytes.Equal(once, twice) {
		t.Fatalf("%x is written as %x and then as %x, %v", in, once, twice, err)
	}
}

// Strict fails unless decode takes the record of v, and refuses each part of
// it, more than it, and versions that do not exist.
func Strict[T Encoder](t *testing.T, v T, decode func([]byte) (T, error)) {
	t.Helper()
	good, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	Stable(t, good, decode)
	if _, err := decode(good); err != nil {
		t.Fatal(err)
	}
	refused := func(what string, in []byte, want error) {
		if _, err := decode(in); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", what, err, want)
		}
	}
	for n := range good {
		refused(fmt.Sprintf("%d of %d bytes", n, len(good)), good[:n], record.ErrFormat)
	}
	refused("a byte more", append(bytes.Clone(good), 0), record.ErrFormat)
	for _, version := range []byte{0, newest + 1, 255} {
		refused(fmt.Sprintf("version %d", version), append([]byte{version}, good[1:]...), record.ErrVersion)
	}
}

// Redacts fails when printing one of values under any verb shows a part of
// the secret, which must be of random bytes.
func Redacts(t *testing.T, secret []byte, values ...any) {
	t.Helper()
	part := secret[:4]
	leaks := []string{
		strings.Trim(fmt.Sprint(part), "[]"), fmt.Sprintf("%x", part), fmt.Sprintf("%X", part),
		strings.Trim(fmt.Sprintf("%o", part), "[]"), strings.Trim(fmt.Sprintf("%#v", part), "[]byte{}"), string(part),
	}
	for _, v := range values {
		for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%c", "%U", "%p"} {
			out := fmt.Sprintf(format, v)
			for _, leak := range leaks {
				if strings.Contains(out, leak) {
					t.Errorf("%s of %T shows a secret", format, v)
				}
			}
		}
	}
}
