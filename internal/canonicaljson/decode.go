package canonicaljson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Decode reads exactly one JSON value, surrounded by white space at most. It
// fails with [ErrSyntax], [ErrNumber] or [ErrDuplicate].
func Decode(raw []byte) (any, error) {
	if !utf8.Valid(raw) || !json.Valid(raw) || hasLoneSurrogate(raw) {
		return nil, ErrSyntax
	}
	d := decoder{json.NewDecoder(bytes.NewReader(raw))}
	d.UseNumber()
	return d.value(MaxDepth)
}

// Canonicalize returns the canonical form of one JSON value. The canonical
// form is a fixed point.
func Canonicalize(raw []byte) ([]byte, error) {
	v, err := Decode(raw)
	if err != nil {
		return nil, err
	}
	return Encode(v)
}

type decoder struct{ *json.Decoder }

func (d decoder) value(depth int) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, ErrSyntax
	}
	switch t := token.(type) {
	case json.Delim:
		if depth == 0 {
			return nil, fmt.Errorf("%w: nested more than %d deep", ErrSyntax, MaxDepth)
		}
		if t == '{' {
			return d.object(depth - 1)
		}
		return d.array(depth - 1)
	case json.Number:
		return integer(string(t))
	default:
		return t, nil
	}
}

func (d decoder) object(depth int) (any, error) {
	object := map[string]any{}
	for d.More() {
		token, err := d.Token()
		key, ok := token.(string)
		if err != nil || !ok {
			return nil, ErrSyntax
		}
		if _, twice := object[key]; twice {
			return nil, fmt.Errorf("%w: %q", ErrDuplicate, key)
		}
		if object[key], err = d.value(depth); err != nil {
			return nil, err
		}
	}
	return object, d.end()
}

func (d decoder) array(depth int) (any, error) {
	array := []any{}
	for d.More() {
		v, err := d.value(depth)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	return array, d.end()
}

// end consumes the closing bracket.
func (d decoder) end() error {
	if _, err := d.Token(); err != nil {
		return ErrSyntax
	}
	return nil
}

// integer reads a JSON number. The specification's own examples turn -0 into 0
// and 1e10 into 10000000000.
func integer(s string) (any, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		n, err = exponent(s)
	}
	if err != nil || n > MaxInt || n < -MaxInt {
		return nil, fmt.Errorf("%w: %.40s", ErrNumber, s)
	}
	return n, nil
}

// exponent reads a number written as digits and an exponent that is not
// negative. A float64 is exact for what it accepts.
func exponent(s string) (int64, error) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || strings.Contains(s, ".") || strings.LastIndexByte(s, '-') > 0 || math.Abs(f) > MaxInt {
		return 0, ErrNumber
	}
	return int64(f), nil
}

// hasLoneSurrogate reports a \ud800-\udfff escape that is no half of a pair.
// encoding/json would turn it into U+FFFD, so that two different texts would
// be signed alike. raw is valid JSON.
func hasLoneSurrogate(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\\')
		if i < 0 {
			return false
		}
		raw = raw[i:]
		r := escaped(raw)
		switch {
		case r < 0:
			raw = raw[2:]
		case r < 0xD800 || r > 0xDFFF:
			raw = raw[6:]
		default:
			low := escaped(raw[6:])
			if r > 0xDBFF || low < 0xDC00 || low > 0xDFFF {
				return true
			}
			raw = raw[12:]
		}
	}
}

// escaped returns the code unit of the \uXXXX escape at the start of raw, or -1.
func escaped(raw []byte) int64 {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return -1
	}
	r, err := strconv.ParseUint(string(raw[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int64(r)
}
