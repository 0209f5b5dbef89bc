package roomkeyfile

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
)

const (
	// maxElement bounds a room key in a file, in bytes of JSON: it has some 600. It is
	// what keeps a long one from being held as a whole.
	maxElement = 1 << 20
	// maxDepth bounds what is within what in a room key: it is 2.
	maxDepth = 100
	// ahead bounds what is read beyond what is needed.
	ahead = 4 << 10
)

// elements yields the elements of a JSON array, each valid until the next, and an error
// last: ErrFormat, or the reader's. One that is too long or too deep to be a room key is
// yielded as nil, and the others follow.
func elements(text io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		s := &splitter{r: bufio.NewReaderSize(text, ahead)}
		defer s.wipe()
		c, err := s.afterSpace()
		if err != nil || c != '[' {
			yield(nil, s.fail(err, errNoArray))
			return
		}
		for end, n := false, 0; !end; n++ {
			var raw []byte
			if raw, end, err = s.element(n == 0); err != nil {
				yield(nil, s.fail(err, errHalfArray))
				return
			}
			if len(raw) == 0 && raw != nil {
				break // an array of nothing
			}
			if !yield(raw, nil) {
				return
			}
		}
		if _, err = s.afterSpace(); !errors.Is(err, io.EOF) {
			yield(nil, s.fail(err, errNoArray))
		}
	}
}

// Of what is wrong with the JSON not a word of it is said.
var (
	errNoArray   = damaged("what is encrypted is not a JSON array")
	errHalfArray = damaged("what is encrypted is not a whole JSON array")
	errSpace     = damaged("a room key has more than %d bytes", maxElement)
)

// splitter finds where elements end.
type splitter struct {
	r   *bufio.Reader
	raw []byte
}

func (s *splitter) wipe() { clear(s.raw[:cap(s.raw)]) }

// fail returns the reader's error, if it had one, or what is wrong with the JSON.
func (s *splitter) fail(err, otherwise error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return otherwise
	}
	return err
}

// afterSpace returns the next byte that is no space.
func (s *splitter) afterSpace() (byte, error) {
	for range maxElement {
		c, err := s.r.ReadByte()
		if err != nil || c != ' ' && c != '\t' && c != '\n' && c != '\r' {
			return c, err
		}
	}
	return 0, errSpace
}

// element returns the next element, of no bytes where the array has none, and whether it
// is the last.
func (s *splitter) element(first bool) (raw []byte, last bool, err error) {
	c, err := s.afterSpace()
	if err != nil {
		return nil, false, err
	}
	if c == ']' && first {
		return []byte{}, true, nil
	}
	s.raw = s.raw[:0]
	fits, depth, text, escaped := true, 0, false, false
	for ; ; c, err = s.r.ReadByte() {
		if err != nil {
			return nil, false, err
		}
		switch {
		case escaped:
			escaped = false
		case text:
			escaped, text = c == '\\', c != '"'
		case c == '"':
			text = true
		case depth == 0 && (c == ',' || c == ']'):
			if fits && !json.Valid(s.raw) {
				return nil, false, errHalfArray
			}
			if !fits {
				return nil, c == ']', nil
			}
			return bytes.TrimSpace(s.raw), c == ']', nil
		case c == '[' || c == '{':
			depth++
		case c == ']' || c == '}':
			depth--
		}
		if depth < 0 {
			return nil, false, errHalfArray
		}
		if fits = fits && depth <= maxDepth && len(s.raw) < maxElement; fits {
			s.raw = append(s.raw, c)
		}
	}
}
