// Package libolm reads what libolm 3.0 to 3.2 pickles, and goolm, which writes the
// same form. Integers are big-endian and of four bytes, booleans one byte, and a list
// is its length and then the items.
//
// Where libolm's own reader takes what its writer never writes, this one refuses it:
// other values of a boolean, and bytes after the end.
package libolm

import (
	"encoding/binary"

	"github.com/pawlkv/pawl/internal/pickle"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/ratchet"
)

// open returns a reader of what is in a pickle, behind its version.
func open(key []byte, pickled, what string) (version uint32, r *reader, err error) {
	content, err := pickle.Open(key, pickled)
	if err != nil {
		return 0, nil, err
	}
	if len(content) > 0 && content[0] == '{' {
		clear(content)
		return 0, nil, pickle.Version("%s in JSON: that is vodozemac's form", what)
	}
	r = &reader{whole: content, rest: content}
	return r.uint32(), r, r.err
}

// reader takes fields off the front of a pickle's content. After its first error it
// yields zeros.
type reader struct {
	whole, rest []byte
	err         error
}

// close wipes the content, which is secret.
func (r *reader) close() { clear(r.whole) }

func (r *reader) fail(format string, args ...any) {
	if r.err == nil {
		r.err = pickle.Damaged(format, args...)
	}
}

func (r *reader) take(n int) []byte {
	if len(r.rest) < n {
		r.fail("cut off")
	}
	if r.err != nil {
		return make([]byte, n) // n is the size of a field, never read from the pickle
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) key() [32]byte          { return [32]byte(r.take(32)) }
func (r *reader) secret() ratchet.Secret { return secret.Hide(r.key()) }
func (r *reader) uint32() uint32         { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) byte() byte             { return r.take(1)[0] }

func (r *reader) bool() bool {
	b := r.byte()
	if b > 1 {
		r.fail("a boolean that is %d", b)
	}
	return b == 1
}

// list reads the length of a list, which its items must have the bytes for, and
// returns 0 if it is longer than most.
func (r *reader) list(n uint32, each, most int, of string) int {
	if n > uint32(most) {
		r.fail("%d %s, at most %d", n, of, most)
	} else if len(r.rest) < int(n)*each {
		r.fail("%d %s in %d bytes", n, of, len(r.rest))
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// end returns the first error, or one for bytes that are left.
func (r *reader) end() error {
	if len(r.rest) > 0 {
		r.fail("%d bytes after the end", len(r.rest))
	}
	return r.err
}
