package wire

import (
	"bytes"
	"errors"
	"os"
	"testing"
)

// stutter brings a byte at a time, and a deadline before each.
type stutter struct {
	rest  []byte
	ready bool
}

func (s *stutter) Read(p []byte) (int, error) {
	if s.ready = !s.ready; s.ready {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p[:1], s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// TestFramesGoOn: a frame that was interrupted anywhere is read whole.
func TestFramesGoOn(t *testing.T) {
	for _, size := range []int{1, 300, 70 << 10} {
		o := newOut(1)
		o.bytes(bytes.Repeat([]byte{7}, size))
		frame, err := o.frame()
		if err != nil {
			t.Fatal(err)
		}
		f := newFrames(&stutter{rest: bytes.Repeat(frame, 2)})
		for range 2 {
			payload, err := f.next()
			for errors.Is(err, os.ErrDeadlineExceeded) {
				payload, err = f.next()
			}
			if err != nil || !bytes.Equal(payload, frame[frameHeader:]) {
				t.Fatalf("%d bytes: got %d, %v", size, len(payload), err)
			}
		}
	}
}
