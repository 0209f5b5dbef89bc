package canonicaljson

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Cut returns an object without its members of some names, and what they are: of
// several of one name the last. Nothing is asked of what is cut but that it is
// JSON: nobody signs it, so it need not be what [Decode] takes. What is no object
// comes back as it is. It fails with [ErrSyntax].
func Cut(raw []byte, names ...string) (rest []byte, cut map[string]json.RawMessage, err error) {
	if !json.Valid(raw) {
		return nil, nil, ErrSyntax
	}
	cut = map[string]json.RawMessage{}
	d := json.NewDecoder(bytes.NewReader(raw))
	if begin, err := d.Token(); err != nil || begin != json.Delim('{') {
		return raw, cut, nil
	}
	rest = []byte{'{'}
	for d.More() {
		from := d.InputOffset()
		name, err := d.Token()
		if err != nil {
			return nil, nil, ErrSyntax
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, ErrSyntax
		}
		if text, ok := name.(string); ok && slices.Contains(names, text) {
			cut[text] = value
			continue
		}
		if len(rest) > 1 {
			rest = append(rest, ',')
		}
		rest = append(rest, bytes.TrimLeft(raw[from:d.InputOffset()], ", \t\r\n")...)
	}
	return append(rest, '}'), cut, nil
}
