package record

import (
	"fmt"
	"sync"
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// Writer takes the fields of one record. It writes to memory, so no method
// can fail.
type Writer struct {
	out []byte
	enc *msgpack.Encoder
}

var writers = sync.Pool{New: func() any {
	w := &Writer{}
	w.enc = msgpack.NewEncoder((*sink)(w))
	return w
}}

// sink gives the msgpack encoder its output without showing Write to callers.
type sink Writer

func (s *sink) Write(b []byte) (int, error) {
	s.out = append(s.out, b...)
	return len(b), nil
}

func (s *sink) WriteByte(c byte) error {
	s.out = append(s.out, c)
	return nil
}

// Encode returns the record of a version whose fields, exactly as many as
// said, are written by fields. The result is allocated with size bytes.
func Encode(version byte, count, size int, fields func(*Writer)) []byte {
	w := writers.Get().(*Writer)
	w.out = append(make([]byte, 0, size), version)
	w.Count(count)
	fields(w)
	out := w.out
	w.out = nil
	writers.Put(w)
	return out
}

// Uint writes an unsigned integer in the shortest form.
func (w *Writer) Uint(n uint64) { w.enc.EncodeUint(n) }

// Bool writes a boolean.
func (w *Writer) Bool(v bool) { w.enc.EncodeBool(v) }

// Bytes writes a byte string.
func (w *Writer) Bytes(b []byte) {
	w.enc.EncodeBytesLen(len(b))
	w.out = append(w.out, b...)
}

// Nested writes as a byte string of size bytes what add appends to the bytes
// it is given: an inner record, without a copy. It returns add's error.
func (w *Writer) Nested(size int, add func([]byte) ([]byte, error)) error {
	w.enc.EncodeBytesLen(size)
	start := len(w.out)
	out, err := add(w.out)
	if err == nil && len(out)-start != size {
		err = fmt.Errorf("%w: inner record of %d bytes, expected %d", ErrFormat, len(out)-start, size)
	}
	if err != nil {
		return err
	}
	w.out = out
	return nil
}

// Text writes a UTF-8 string.
func (w *Writer) Text(s string) { w.enc.EncodeString(s) }

// Count writes the header of an array of n fields.
func (w *Writer) Count(n int) { w.enc.EncodeArrayLen(n) }

// Time writes t in milliseconds, the zero time as 0.
func (w *Writer) Time(t time.Time) { w.Uint(uint64(Millis(t))) }

// MaxMillis is the end of the year 9999, the last that RFC 3339 can write.
const MaxMillis = 253402300799999

// Millis is how records keep a time: milliseconds since 1970, at least 1 and
// at most the end of the year 9999, because a clock may say anything. 0 is
// kept for the zero time, which means never.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	// UnixMilli overflows for the wildest times, so compare before.
	if t.After(time.UnixMilli(MaxMillis)) {
		return MaxMillis
	}
	if t.Before(time.UnixMilli(1)) {
		return 1
	}
	return t.UnixMilli()
}

// Time returns t as it will be after a record kept it: in UTC, without the
// parts below a millisecond.
func Time(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMilli(Millis(t)).UTC()
}
