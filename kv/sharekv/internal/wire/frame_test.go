package wire

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strings"
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

// TestLengthsOfStrings: nobody makes room for more bytes than there are, whatever a frame
// says of a string.
func TestLengthsOfStrings(t *testing.T) {
	for what, read := range map[string]func(*in){
		"bytes": func(i *in) { i.bytes() }, "string": func(i *in) { i.string() }, "strings": func(i *in) { i.strings() },
	} {
		for frame, want := range map[string]string{
			"\x91\xdb\xff\xff\xff\xffabc": "4294967295 bytes in 3",
			"\x91\xc6\x40\x00\x00\x00":    "1073741824 bytes in 0",
			"\x91\xc5\x00\x04abc":         "4 bytes in 3",
			"\x91\xa4abc":                 "4 bytes in 3",
			"\x91\xa3abcd":                "1 bytes too many",
		} {
			payload := []byte(frame)
			if what == "strings" {
				payload = append([]byte{0x91}, payload...)
			}
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			i := newIn(payload, 1)
			read(i)
			err := i.end()
			runtime.ReadMemStats(&after)
			if !errors.Is(err, errFrame) || !strings.HasSuffix(err.Error(), ": "+want) {
				t.Errorf("%s of %x: %v, want %q", what, frame, err, want)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
				t.Errorf("%s of %x: %d bytes were allocated", what, frame, n)
			}
		}
	}
	for frame, want := range map[string][]byte{"\x91\xc0": nil, "\x91\xa0": {}, "\x91\xc4\x00": {}, "\x91\xa1a": {'a'}, "\x91\xc4\x01a": {'a'}} {
		i := newIn([]byte(frame), 1)
		if got, err := i.bytes(), i.end(); err != nil || !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%x: %q, %v, want %q", frame, got, err, want)
		}
	}
}
