package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
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
