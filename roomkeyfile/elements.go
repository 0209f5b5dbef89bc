package roomkeyfile

import (
	"encoding/json"
	"errors"
	"io"
	"iter"
)

// maxElement bounds a room key in a file, in bytes of JSON: it has some 600. It is
// what keeps a long one from being held as a whole.
const maxElement = 1 << 20

// elements yields the elements of a JSON array, each valid until the next, and an
// error last: ErrFormat, or the reader's.
func elements(text io.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		w := &window{r: text}
		d := json.NewDecoder(w)
		next := func() (json.Token, error) {
			w.left = maxElement
			return d.Token()
		}
		if t, err := next(); err != nil || t != json.Delim('[') {
			yield(nil, ofJSON(w, err))
			return
		}
		var raw json.RawMessage
		defer func() { clear(raw[:cap(raw)]) }()
		for w.left = maxElement; d.More(); w.left = maxElement {
			if err := d.Decode(&raw); err != nil {
				yield(nil, ofJSON(w, err))
				return
			}
			if !yield(raw, nil) {
				return
			}
		}
		if _, err := next(); err != nil { // its end
			yield(nil, ofJSON(w, err))
			return
		}
		if _, err := next(); !errors.Is(err, io.EOF) {
			yield(nil, ofJSON(w, err))
		}
	}
}

// ofJSON returns the reader's error, if it had one, or says what is wrong with the JSON,
// without a word of it.
func ofJSON(w *window, err error) error {
	switch {
	case w.err != nil:
		return w.err
	case err == nil:
		return damaged("what is encrypted is not a JSON array")
	}
	return damaged("what is encrypted is not a whole JSON array")
}

// window is a reader that ends with an error when too much is read at once.
type window struct {
	r    io.Reader
	left int
	err  error // of the reader below, or of reading too much
}

// ahead bounds what is read beyond what is needed.
const ahead = 4 << 10

// Read implements io.Reader.
func (w *window) Read(p []byte) (int, error) {
	if w.left <= 0 {
		w.err = damaged("a room key has more than %d bytes", maxElement)
		return 0, w.err
	}
	n, err := w.r.Read(p[:min(len(p), ahead)])
	w.left -= n
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
