// Package jsonobject finds the members of JSON objects by their exact names, which
// package json does not: it takes others for them.
//
// Events come from servers and payloads from peers, each several objects deep, and
// package json reads a text again for every level that is left as it is. So a text is
// validated once, by package json, and then only looked through. Everything in it is
// safe for concurrent use.
package jsonobject

import "encoding/json"

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
	s := Parts{raw}
	if !s.Take('{') {
		return nil, false
	}
	fields := make(map[string]json.RawMessage, 8)
	if s.Take('}') {
		return fields, true
	}
	for {
		name, ok := Text(s.Value())
		if !ok || !s.Take(':') {
			return nil, false
		}
		value := s.Value()
		if len(value) == 0 {
			return nil, false
		}
		fields[name] = value
		if !s.Take(',') {
			return fields, s.Take('}')
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

// AppendText appends the JSON string of a text: at most [MostBytes]. What is no UTF-8
// in it is replaced, as package json does.
func AppendText(b []byte, text string) []byte {
	if isPlain(text) {
		return append(append(append(b, '"'), text...), '"')
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		panic(err) // a string has no such thing
	}
	return append(b, quoted...)
}

// MostBytes is how many AppendText appends at most: six for a byte, as \u0000.
func MostBytes(text string) int { return 2 + 6*len(text) }

// isPlain reports that a string's inside stands for itself.
func isPlain[T string | []byte](inside T) bool {
	for i := range len(inside) {
		c := inside[i]
		if c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			return false
		}
	}
	return true
}
