package syncresponse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// walker goes through a JSON text and keeps places in it, never the text. It is a
// json.Decoder that knows where it is.
type walker struct {
	*json.Decoder
	text []byte
	path []string // for errors
}

func newWalker(text []byte) *walker {
	w := &walker{Decoder: json.NewDecoder(bytes.NewReader(text)), text: text}
	w.UseNumber() // a number that no float holds is nobody's business here
	return w
}

// members are what is done with an object's members, by name; others are passed
// over. A member that is null is as if it were not there.
type members map[string]func() error

func (w *walker) failed(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if errors.Is(err, ErrForm) {
		return err
	}
	return fmt.Errorf("%w: %s at byte %d: %w", ErrForm, w.at(), w.InputOffset(), err)
}

// at is where in the response something is wrong.
func (w *walker) at() string {
	if len(w.path) == 0 {
		return "response"
	}
	return w.path[len(w.path)-1]
}

// walk reads the text, which is one object.
func (w *walker) walk(m members) error {
	if err := w.object(m)(); err != nil {
		return err
	}
	if _, err := w.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows the object", ErrForm)
	}
	return nil
}

// begin reads the delimiter that a value begins with. It is false for null.
func (w *walker) begin(delimiter json.Delim) (bool, error) {
	t, err := w.Token()
	switch {
	case err != nil:
		return false, w.failed(err)
	case t == nil:
		return false, nil
	case t != delimiter:
		return false, fmt.Errorf("%w: %s is not what begins with %v", ErrForm, w.at(), delimiter)
	}
	return true, nil
}

// end reads the delimiter that a value ends with.
func (w *walker) end() error {
	if _, err := w.Token(); err != nil {
		return w.failed(err)
	}
	return nil
}

// object reads an object with known members.
func (w *walker) object(m members) func() error {
	return w.each(m.read(w))
}

// loose is object where something else than an object is passed over.
func (w *walker) loose(m members) error {
	t, err := w.Token()
	switch {
	case err != nil:
		return w.failed(err)
	case t == json.Delim('{'):
		return w.rest(m.read(w))
	case t == json.Delim('['):
		for w.More() {
			if err := w.skip(); err != nil {
				return err
			}
		}
		return w.end()
	}
	return nil
}

func (m members) read(w *walker) func(name string) error {
	return func(name string) error {
		if read, known := m[name]; known {
			return read()
		}
		return w.skip()
	}
}

// each reads an object whose members are of one kind.
func (w *walker) each(read func(name string) error) func() error {
	return func() error {
		there, err := w.begin('{')
		if err != nil || !there {
			return err
		}
		return w.rest(read)
	}
}

// rest reads an object of which the beginning was read.
func (w *walker) rest(read func(name string) error) error {
	for w.More() {
		t, err := w.Token()
		if err != nil {
			return w.failed(err)
		}
		name, _ := t.(string)
		w.path = append(w.path, name)
		if err := read(name); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
	}
	return w.end()
}

// array reads an array.
func (w *walker) array(read func() error) func() error {
	return func() error {
		there, err := w.begin('[')
		if err != nil || !there {
			return err
		}
		for w.More() {
			if err := read(); err != nil {
				return err
			}
		}
		return w.end()
	}
}

// value decodes a value that is small.
func (w *walker) value(into any) func() error {
	return func() error {
		if err := w.Decode(into); err != nil {
			return w.failed(err)
		}
		return nil
	}
}

// skip passes a value over, whatever its size.
func (w *walker) skip() error {
	for depth := 0; ; {
		t, err := w.Token()
		if err != nil {
			return w.failed(err)
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			depth++
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
		if depth == 0 {
			return nil
		}
	}
}

// span passes a value over and returns where it is. Of a value that is no object or
// array it is the end alone: no event is one.
func (w *walker) span() (Span, error) {
	t, err := w.Token()
	if err != nil {
		return Span{}, w.failed(err)
	}
	end := int(w.InputOffset())
	d, ok := t.(json.Delim)
	if !ok {
		return Span{end, end}, nil
	}
	s := Span{Start: end - 1}
	for w.More() {
		if d == '{' {
			if err := w.end(); err != nil { // the name
				return s, err
			}
		}
		if err := w.skip(); err != nil {
			return s, err
		}
	}
	err = w.end()
	s.End = int(w.InputOffset())
	return s, err
}
