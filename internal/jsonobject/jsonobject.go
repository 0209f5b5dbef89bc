// Package jsonobject finds the members of JSON objects by their exact names, which
// package json does not: it takes others for them.
//
// Events come from servers and payloads from peers, each several objects deep, and
// package json reads a text again for every level that is left as it is. So a text is
// validated once, by package json, and then only looked through. Everything in it is
// safe for concurrent use.
package jsonobject

import (
	"bytes"
	"encoding/json"
)

// Members returns the members of a JSON object by their exact names, the last one
// of a name, as parts of raw: what json.Unmarshal puts into a map of json.RawMessage.
// It fails for what is no JSON, or no object.
func Members(raw []byte) (map[string]json.RawMessage, bool) {
	if !json.Valid(raw) {
		return nil, false
	}
	return Split(raw)
}

// Split is [Members] for raw that is part of a valid text.
func Split(raw []byte) (map[string]json.RawMessage, bool) {
	s := splitter{rest: raw}
	if !s.take('{') {
		return nil, false
	}
	fields := make(map[string]json.RawMessage, 8)
	if s.take('}') {
		return fields, true
	}
	for {
		name, ok := Text(s.value())
		if !ok || !s.take(':') {
			return nil, false
		}
		value := s.value()
		if len(value) == 0 {
			return nil, false
		}
		fields[name] = value
		if !s.take(',') {
			return fields, s.take('}')
		}
	}
}

// Text returns a JSON string's text; false if it is none.
func Text(raw []byte) (string, bool) {
	if n := len(raw); n >= 2 && raw[0] == '"' && raw[n-1] == '"' && isPlain(raw[1:n-1]) {
		return string(raw[1 : n-1]), true
	}
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

// isPlain reports that a string's inside stands for itself.
func isPlain(inside []byte) bool {
	for _, c := range inside {
		if c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}

// splitter goes through a valid JSON text. Of another one it makes nonsense, but ends.
type splitter struct{ rest []byte }

// take skips white space, and a byte if it is this one.
func (s *splitter) take(b byte) bool {
	s.rest = bytes.TrimLeft(s.rest, " \t\r\n")
	if len(s.rest) == 0 || s.rest[0] != b {
		return false
	}
	s.rest = s.rest[1:]
	return true
}

// value skips white space and returns the value that follows.
func (s *splitter) value() []byte {
	s.rest = bytes.TrimLeft(s.rest, " \t\r\n")
	n := valueSize(s.rest)
	value := s.rest[:n:n]
	s.rest = s.rest[n:]
	return value
}

func valueSize(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"':
		return stringSize(b)
	case '{', '[':
		return nestedSize(b)
	}
	if n := bytes.IndexAny(b, ",:]} \t\r\n"); n >= 0 {
		return n
	}
	return len(b)
}

// stringSize is up to the first quote that nothing escapes.
func stringSize(b []byte) int {
	for n := 1; ; {
		i := bytes.IndexByte(b[n:], '"')
		if i < 0 {
			return len(b)
		}
		n += i + 1
		inside := b[1 : n-1]
		if escapes := len(inside) - len(bytes.TrimRight(inside, `\`)); escapes%2 == 0 {
			return n
		}
	}
}

func nestedSize(b []byte) int {
	depth := 0
	for n := 0; n < len(b); n++ {
		switch b[n] {
		case '"':
			n += stringSize(b[n:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return n + 1
			}
		}
	}
	return len(b)
}
