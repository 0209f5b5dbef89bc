package wire

import (
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
	// frameAtOnce is the most that is allocated because a header says so.
	frameAtOnce = 1 << 20
)

var errFrame = errors.New("wire: the other side sent what is not a frame of this protocol")

// readFrame returns the payload of the next frame, which is the caller's. The
// end between two frames is io.EOF.
func readFrame(r io.Reader) ([]byte, error) {
	var header [frameHeader]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(header[:])
	switch {
	case n == 0 || n > MaxFrame:
		return nil, fmt.Errorf("%w: %d bytes, want 1 to %d", errFrame, n, MaxFrame)
	case n <= frameAtOnce:
		payload := make([]byte, n)
		_, err := io.ReadFull(r, payload)
		return payload, whole(err)
	}
	var payload bytes.Buffer // grows as the bytes arrive
	if _, err := io.CopyN(&payload, r, int64(n)); err != nil {
		return nil, whole(err)
	}
	return payload.Bytes(), nil
}

// whole makes an end within a frame an error.
func whole(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
