package canonicaljson

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Encode writes v in canonical form. It fails with [ErrType] for a value that
// is none of the listed types, or a string that is not UTF-8, with [ErrNumber]
// for an integer out of range and with [ErrSyntax] for too deep nesting (a
// value that contains itself, for one).
func Encode(v any) ([]byte, error) { return appendValue(nil, v, MaxDepth) }

func appendValue(b []byte, v any, depth int) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case int:
		return appendInt(b, int64(v))
	case int64:
		return appendInt(b, v)
	case string:
		return appendString(b, v)
	}
	if depth == 0 {
		return nil, fmt.Errorf("%w: nested more than %d deep", ErrSyntax, MaxDepth)
	}
	switch v := v.(type) {
	case []any:
		return appendArray(b, v, depth-1)
	case map[string]any:
		return appendObject(b, v, depth-1)
	}
	return nil, fmt.Errorf("%w: %T", ErrType, v)
}

func appendInt(b []byte, n int64) ([]byte, error) {
	if n > MaxInt || n < -MaxInt {
		return nil, fmt.Errorf("%w: %d", ErrNumber, n)
	}
	return strconv.AppendInt(b, n, 10), nil
}

func appendArray(b []byte, array []any, depth int) (_ []byte, err error) {
	b = append(b, '[')
	for i, v := range array {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendValue(b, v, depth); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// appendObject sorts by the bytes of the keys, which in UTF-8 is the order of
// code points.
func appendObject(b []byte, object map[string]any, depth int) (_ []byte, err error) {
	b = append(b, '{')
	for i, key := range slices.Sorted(maps.Keys(object)) {
		if i > 0 {
			b = append(b, ',')
		}
		if b, err = appendString(b, key); err != nil {
			return nil, err
		}
		if b, err = appendValue(append(b, ':'), object[key], depth); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

// short are the control characters with a two-byte escape.
var short = map[byte]byte{'"': '"', '\\': '\\', '\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't'}

func appendString(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, fmt.Errorf("%w: a string is not UTF-8", ErrType)
	}
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 0x20 && c != '"' && c != '\\':
			b = append(b, c)
		case short[c] != 0:
			b = append(b, '\\', short[c])
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(b, '"'), nil
}
