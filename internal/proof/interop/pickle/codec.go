package pickle

import (
	"encoding/binary"
	"fmt"
)

// maxItems bounds every list before memory is taken for it.
const maxItems = 10_000

// reader takes fields off the front of raw pickle bytes; its first error
// sticks and later reads yield zeros.
type reader struct {
	b   []byte
	err error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || len(r.b) < n {
		if r.err == nil {
			r.err = fmt.Errorf("%w: %d bytes left where %d are needed", ErrPickle, len(r.b), n)
		}
		return make([]byte, n)
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) key() [32]byte { return [32]byte(r.take(32)) }
func (r *reader) u32() uint32   { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) u8() uint8     { return r.take(1)[0] }
func (r *reader) bool() bool    { return r.u8() != 0 }

// count reads the length of a list and refuses one that memory should not be
// taken for.
func (r *reader) count() int {
	n := r.u32()
	if n > maxItems && r.err == nil {
		r.err = fmt.Errorf("%w: a list of %d items", ErrPickle, n)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}

// end returns the first error, or one for bytes left over.
func (r *reader) end() error {
	if r.err == nil && len(r.b) > 0 {
		r.err = fmt.Errorf("%w: %d bytes left over", ErrPickle, len(r.b))
	}
	return r.err
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

func appendU32(b []byte, v uint32) []byte { return binary.BigEndian.AppendUint32(b, v) }
