package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/pawlkv/pawl/kv"
)

const (
	frameHeader = 4
	// MaxFrame bounds a frame. The largest is a commit that was computed from a
	// scan of a few hundred thousand keys.
	MaxFrame = 64 << 20
)

var errFrame = errors.New("wire: the other side sent what is not a frame of this protocol")

// frames reads frames one by one. After an error that passes, as a deadline
// does, it goes on where it was, in the middle of a frame, too.
type frames struct {
	from    *bufio.Reader
	payload bytes.Buffer // of a frame that is too large for from, as far as it came
	missing int          // the rest of it
}

func newFrames(r io.Reader) *frames { return &frames{from: bufio.NewReaderSize(r, 64<<10)} }

// next returns the payload of the next frame, which is the caller's. The end
// between two frames is io.EOF.
func (f *frames) next() ([]byte, error) {
	if f.missing > 0 {
		return f.rest()
	}
	header, err := f.from.Peek(frameHeader)
	if err != nil {
		if len(header) > 0 {
			err = whole(err)
		}
		return nil, err
	}
	n := binary.BigEndian.Uint32(header)
	if n == 0 || n > MaxFrame {
		return nil, fmt.Errorf("%w: %d bytes, want 1 to %d", errFrame, n, MaxFrame)
	}
	all := frameHeader + int(n)
	if all > f.from.Size() {
		f.discard(frameHeader)
		f.payload, f.missing = bytes.Buffer{}, int(n)
		return f.rest()
	}
	frame, err := f.from.Peek(all)
	if err != nil {
		return nil, whole(err)
	}
	payload := bytes.Clone(frame[frameHeader:])
	f.discard(all)
	return payload, nil
}

// rest reads on in a large frame. The payload grows as the bytes arrive: a
// header alone makes nobody allocate what it says.
func (f *frames) rest() ([]byte, error) {
	n, err := io.CopyN(&f.payload, f.from, int64(f.missing))
	f.missing -= int(n)
	if err != nil {
		return nil, whole(err)
	}
	payload := f.payload.Bytes()
	f.payload = bytes.Buffer{}
	return payload, nil
}

// discard passes over what was peeked at, which cannot fail.
func (f *frames) discard(n int) { _, _ = f.from.Discard(n) }

// whole makes an end within a frame an error.
func whole(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// out makes a frame. Writing to memory does not fail.
type out struct {
	buf bytes.Buffer
	enc *msgpack.Encoder
}

// newOut begins a frame, an array of so many elements.
func newOut(elements int) *out {
	o := &out{}
	o.buf.Write(make([]byte, frameHeader, 128))
	o.enc = msgpack.NewEncoder(&o.buf)
	o.enc.UseCompactInts(true)
	o.list(elements)
	return o
}

func (o *out) uint(v uint64)           { _ = o.enc.EncodeUint(v) }
func (o *out) string(s string)         { _ = o.enc.EncodeString(s) }
func (o *out) bytes(b []byte)          { _ = o.enc.EncodeBytes(b) } // nil stays nil
func (o *out) bool(b bool)             { _ = o.enc.EncodeBool(b) }
func (o *out) list(n int)              { _ = o.enc.EncodeArrayLen(n) }
func (o *out) version(v kv.Version)    { o.uint(uint64(v)) }
func (o *out) size() int               { return o.buf.Len() - frameHeader }
func (o *out) strings(values []string) { each(o, values, o.string) }

// each writes a list.
func each[T any](o *out, values []T, one func(T)) {
	o.list(len(values))
	for _, v := range values {
		one(v)
	}
}

// frame returns the frame with its header.
func (o *out) frame() ([]byte, error) {
	if o.size() > MaxFrame {
		return nil, fmt.Errorf("%w: a message of %d bytes, at most %d", kv.ErrTooLarge, o.size(), MaxFrame)
	}
	b := o.buf.Bytes()
	binary.BigEndian.PutUint32(b, uint32(o.size()))
	return b, nil
}

// in reads a frame. After the first error everything is zero, and err is why.
type in struct {
	status status // of an answer
	rest   *bytes.Reader
	dec    *msgpack.Decoder
	err    error
}

// newIn begins to read a frame that must be an array of at least so many
// elements. More belong to the kind of message.
func newIn(payload []byte, elements int) *in {
	i := &in{rest: bytes.NewReader(payload)}
	i.dec = msgpack.NewDecoder(i.rest)
	if n := i.list(); n < elements {
		i.fail(fmt.Errorf("%d elements, want %d", n, elements))
	}
	return i
}

func (i *in) fail(err error) {
	if i.err == nil && err != nil {
		i.err = fmt.Errorf("%w: %v", errFrame, err)
	}
}

// read makes a decoder's method one that keeps the error.
func read[T any](i *in, decode func() (T, error)) T {
	var zero T
	if i.err != nil {
		return zero
	}
	v, err := decode()
	if err != nil {
		i.fail(err)
		return zero
	}
	return v
}

func (i *in) uint() uint64        { return read(i, i.dec.DecodeUint64) }
func (i *in) string() string      { return string(i.bytes()) }
func (i *in) bool() bool          { return read(i, i.dec.DecodeBool) }
func (i *in) version() kv.Version { return kv.Version(i.uint()) }
func (i *in) strings() []string   { return all(i, i.string) }

// bytes reads what bytes or string wrote, nil for nil. The library makes room for as many
// as the frame says there are, which may be 4 GiB, so that is compared with the rest.
func (i *in) bytes() []byte {
	n := read(i, i.dec.DecodeBytesLen)
	if n > i.rest.Len() {
		i.fail(fmt.Errorf("%d bytes in %d", n, i.rest.Len()))
	}
	if i.err != nil || n < 0 {
		return nil
	}
	b := make([]byte, n)
	i.fail(i.dec.ReadFull(b))
	return b
}

// list returns how many elements follow: never more than could fit in the rest.
func (i *in) list() int {
	n := read(i, i.dec.DecodeArrayLen)
	if n < 0 || n > i.rest.Len() {
		i.fail(fmt.Errorf("a list of %d elements in %d bytes", n, i.rest.Len()))
		return 0
	}
	return n
}

// tuple reads the length of a list of different things.
func (i *in) tuple(least, most int) int {
	n := i.list()
	if n < least || n > most {
		i.fail(fmt.Errorf("%d elements, want %d to %d", n, least, most))
	}
	return n
}

// all reads a list.
func all[T any](i *in, one func() T) []T {
	n := i.list()
	if n == 0 {
		return nil
	}
	values := make([]T, 0, min(n, 1024))
	for len(values) < n && i.err == nil {
		values = append(values, one())
	}
	return values
}

// end returns why the frame could not be read, nil if all of it was.
func (i *in) end() error {
	if i.err == nil && i.rest.Len() > 0 {
		i.fail(fmt.Errorf("%d bytes too many", i.rest.Len()))
	}
	return i.err
}
