package record

import (
	"bytes"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
)

// Reader gives the fields of one record in order. After the first failure
// every method returns a zero value, and [Decode] the failure.
type Reader struct {
	in   []byte
	rest bytes.Reader
	dec  *msgpack.Decoder
	err  error
}

var readers = sync.Pool{New: func() any {
	r := &Reader{}
	r.dec = msgpack.NewDecoder(&r.rest)
	return r
}}

// Decode reads a record of the given version, whose fields, exactly as many
// as said, are read by fields. It fails with [ErrVersion] or [ErrFormat]; the
// error names what was being read, not what it held.
func Decode(what string, in []byte, version byte, count int, fields func(*Reader)) error {
	return DecodeOneOf(what, in, Layout{version, count, fields})
}

// Layout is one version of a record: how many fields it has, and what reads
// them.
type Layout struct {
	Version byte
	Count   int
	Fields  func(*Reader)
}

// DecodeOneOf is Decode for a record that was written in several versions, the
// newest last.
func DecodeOneOf(what string, in []byte, layouts ...Layout) error {
	if len(in) == 0 {
		return fmt.Errorf("%s: %w: it is empty", what, ErrFormat)
	}
	for _, l := range layouts {
		if in[0] == l.Version {
			return l.decode(what, in)
		}
	}
	return fmt.Errorf("%s: %w: version %d, known is %d", what, ErrVersion, in[0], layouts[len(layouts)-1].Version)
}

func (l Layout) decode(what string, in []byte) error {
	r := readers.Get().(*Reader)
	r.in, r.err = in, nil
	r.rest.Reset(in[1:])
	err := r.all(l.Count, l.Fields)
	r.in = nil
	r.rest.Reset(nil)
	readers.Put(r)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func (r *Reader) all(count int, fields func(*Reader)) error {
	if n := r.Count(count); n != count {
		r.Fail("number of fields")
	}
	if r.err == nil {
		fields(r)
	}
	if r.rest.Len() != 0 {
		r.Fail("bytes after the end")
	}
	return r.err
}

// Fail marks the record as damaged because of what, unless it already is.
func (r *Reader) Fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrFormat, what)
	}
}

// Check is Fail unless ok.
func (r *Reader) Check(ok bool, what string) {
	if !ok {
		r.Fail(what)
	}
}

// FailWith marks the record as damaged with the error of an inner format,
// which errors.Is finds beside ErrFormat.
func (r *Reader) FailWith(err error) {
	if r.err == nil && err != nil {
		r.err = fmt.Errorf("%w: %w", ErrFormat, err)
	}
}

// OK reports that nothing has failed yet. Loops over counts check it.
func (r *Reader) OK() bool { return r.err == nil }

// Uint reads an unsigned integer of at most limit.
func (r *Reader) Uint(limit uint64) uint64 {
	if r.err != nil {
		return 0
	}
	n, err := r.dec.DecodeUint64()
	if err != nil || n > limit {
		r.Fail("integer")
		return 0
	}
	return n
}

// Bool reads a boolean.
func (r *Reader) Bool() bool {
	if r.err != nil {
		return false
	}
	v, err := r.dec.DecodeBool()
	r.Check(err == nil, "boolean")
	return v
}

// Bytes reads a byte string of at most limit bytes. It is part of the input:
// copy what is kept.
func (r *Reader) Bytes(limit int) []byte {
	if r.err != nil {
		return nil
	}
	n, err := r.dec.DecodeBytesLen()
	if err != nil || n < 0 || n > limit || n > r.rest.Len() {
		r.Fail("length of a byte string")
		return nil
	}
	at := len(r.in) - r.rest.Len()
	r.rest.Reset(r.in[at+n:])
	return r.in[at : at+n : at+n]
}

// Fixed reads a byte string of exactly len(dst) bytes into dst.
func (r *Reader) Fixed(dst []byte) {
	b := r.Bytes(len(dst))
	r.Check(len(b) == len(dst), "length of a byte string")
	copy(dst, b)
}

// Text reads a UTF-8 string of at most limit bytes.
func (r *Reader) Text(limit int) string {
	b := r.Bytes(limit)
	r.Check(utf8.Valid(b), "text")
	return string(b)
}

// Count reads the header of an array of at most limit fields.
func (r *Reader) Count(limit int) int {
	if r.err != nil {
		return 0
	}
	// Each field takes a byte at least.
	n, err := r.dec.DecodeArrayLen()
	if err != nil || n < 0 || n > limit || n > r.rest.Len() {
		r.Fail("count")
		return 0
	}
	return n
}

// Time reads a time in milliseconds, in UTC; 0 is the zero time.
func (r *Reader) Time() time.Time {
	ms := r.Uint(MaxMillis)
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(ms)).UTC()
}
