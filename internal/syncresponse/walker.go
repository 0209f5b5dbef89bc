package syncresponse

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/pawlkv/pawl/internal/jsonobject"
	"github.com/pawlkv/pawl/internal/parallel"
)

// walker goes through a JSON text and keeps places in it, never the text. What stands
// between its parts it reads itself, and each part is validated as it is passed: a page that
// has a sync of many megabytes is to do something else in between.
type walker struct {
	jsonobject.Parts
	text []byte
	path []string // for errors
	deep bool     // package json does not take a part of it as a whole
}

func newWalker(text []byte) *walker { return &walker{Parts: jsonobject.Parts{Rest: text}, text: text} }

// members are what is done with an object's members, by name; others are passed
// over. A member that is null is as if it were not there.
type members map[string]func() error

func (w *walker) failed(err error) error {
	return fmt.Errorf("%w: %s at byte %d: %w", ErrForm, w.at(), w.offset(), err)
}

// broken is the error of a text that ends, or goes on, where it must not.
func (w *walker) broken() error {
	if w.Next() == 0 {
		return w.failed(io.ErrUnexpectedEOF)
	}
	return w.failed(errors.New("not JSON"))
}

// at is where in the response something is wrong.
func (w *walker) at() string {
	if len(w.path) == 0 {
		return "response"
	}
	return w.path[len(w.path)-1]
}

// offset is how far the walker has come.
func (w *walker) offset() int { return len(w.text) - len(w.Rest) }

// walk reads the text, which is one object.
func (w *walker) walk(m members) error {
	if err := w.object(m)(); err != nil {
		return err
	}
	if w.Next() != 0 {
		return fmt.Errorf("%w: something follows the object", ErrForm)
	}
	if !w.deep {
		return nil
	}
	return w.validate()
}

// validate reads all tokens of a text of which package json does not take a part as a
// whole: one event that is nested too deep does not keep the others from being taken.
func (w *walker) validate() error {
	d := json.NewDecoder(bytes.NewReader(w.text))
	d.UseNumber() // a number that no float holds is nobody's business here
	for {
		parallel.Rest()
		_, err := d.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%w: at byte %d: %w", ErrForm, d.InputOffset(), err)
		}
	}
}

// begin reads the delimiter that a value begins with. It is false for null.
func (w *walker) begin(delimiter byte) (bool, error) {
	switch {
	case w.Take(delimiter):
		return true, nil
	case w.Next() == 0:
		return false, w.broken()
	case bytes.Equal(w.Value(), []byte("null")):
		return false, nil
	}
	return false, fmt.Errorf("%w: %s is not what begins with %c", ErrForm, w.at(), delimiter)
}

// object reads an object with known members.
func (w *walker) object(m members) func() error {
	return w.each(m.read(w.skip))
}

// loose is object where something else than an object is passed over. It is for events, of
// which no part is large.
func (w *walker) loose(m members) error {
	if w.Take('{') {
		return w.rest(m.read(w.leaf))
	}
	return w.skip()
}

func (m members) read(other func() error) func(name string) error {
	return func(name string) error {
		if read, known := m[name]; known {
			return read()
		}
		return other()
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
	return w.until('}', func() error {
		name, ok := jsonobject.Text(w.Value())
		if !ok || !w.Take(':') {
			return w.broken()
		}
		w.path = append(w.path, name)
		if err := read(name); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
		return nil
	})
}

// array reads an array.
func (w *walker) array(read func() error) func() error {
	return func() error {
		there, err := w.begin('[')
		if err != nil || !there {
			return err
		}
		return w.until(']', read)
	}
}

// until reads what stands between commas up to a delimiter.
func (w *walker) until(delimiter byte, read func() error) error {
	if w.Take(delimiter) {
		return nil
	}
	for {
		parallel.Rest()
		if err := read(); err != nil {
			return err
		}
		switch {
		case w.Take(','):
		case w.Take(delimiter):
			return nil
		default:
			return w.broken()
		}
	}
}

// value decodes a value that is small.
func (w *walker) value(into any) func() error {
	return func() error {
		if err := json.Unmarshal(w.Value(), into); err != nil {
			return w.failed(err)
		}
		return nil
	}
}

// string reads a string; something else is none.
func (w *walker) string(into *string) func() error {
	return func() error {
		raw := w.Value()
		if len(raw) == 0 {
			return w.broken()
		}
		text, ok := jsonobject.Text(raw)
		if !ok {
			w.valid(raw)
		}
		*into = text
		return nil
	}
}

// skip passes a value over, whatever its size: presence, say, or the account's data.
func (w *walker) skip() error { return w.pass(3) }

// pass passes a value over, and its outer levels part by part.
func (w *walker) pass(levels int) error {
	next := func() error { return w.pass(levels - 1) }
	switch {
	case levels > 0 && w.Take('{'):
		return w.rest(func(string) error { return next() })
	case levels > 0 && w.Take('['):
		return w.until(']', next)
	}
	return w.leaf()
}

// leaf passes a value over in one piece.
func (w *walker) leaf() error {
	raw := w.Value()
	if len(raw) == 0 {
		return w.broken()
	}
	w.valid(raw)
	return nil
}

// valid notes whether package json takes a part of the text.
func (w *walker) valid(part []byte) { w.deep = w.deep || !json.Valid(part) }

// span passes a value over and returns where it is. Of a value that is no object or
// array it is the end alone: no event is one.
func (w *walker) span() (Span, error) {
	first := w.Next()
	s := Span{Start: w.offset()}
	err := w.leaf()
	s.End = w.offset()
	if first != '{' && first != '[' {
		s.Start = s.End
	}
	return s, err
}
