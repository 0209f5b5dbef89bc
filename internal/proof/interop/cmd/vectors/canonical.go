//go:build libolm

package main

import (
	"encoding/json"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"maunium.net/go/mautrix/crypto/canonicaljson"
)

// Canonical is a JSON text and its canonical form.
type Canonical struct {
	Name      string `json:"name"`
	Input     Hex    `json:"input"`
	Canonical Hex    `json:"canonical,omitempty"`
	Expect    string `json:"expect"`
	Mautrix   Hex    `json:"mautrix,omitempty"` // its form, where it is another
}

// canonical are texts and their forms; an empty form is a refusal.
var canonical = []struct{ name, input, form string }{
	{"empty object", `{}`, `{}`},
	{"empty array", ` [ ] `, `[]`},
	{"keys sorted", `{"b":"2","a":"1"}`, `{"a":"1","b":"2"}`},
	{"keys sorted by code point, not by locale", `{"a":1,"B":2,"é":3,"z":4}`, `{"B":2,"a":1,"z":4,"é":3}`},
	{"keys beyond the basic plane after the others", `{"😀":1,"｡":2}`, `{"｡":2,"😀":1}`},
	{"a key and its prefix", `{"ab":1,"a":2,"":3}`, `{"":3,"a":2,"ab":1}`},
	{"white space", "{\r\n\t\"a\" :\n[ 1 , 2 ] }", `{"a":[1,2]}`},
	{"white space in strings stays", `{"a":" b  c "}`, `{"a":" b  c "}`},
	{"nested objects", `{"x":{"d":{"b":1,"a":2},"c":[{"f":0,"e":0}]}}`, `{"x":{"c":[{"e":0,"f":0}],"d":{"a":2,"b":1}}}`},
	{"arrays keep their order", `[3,1,2]`, `[3,1,2]`},
	{"literals", `[true,false,null]`, `[true,false,null]`},
	{"escapes become characters", `{"a":"\u65E5\u0041\/"}`, `{"a":"日A/"}`},
	{"surrogate pair becomes a character", `{"a":"\ud83d\ude00"}`, `{"a":"😀"}`},
	{"short escapes", `{"a":"\b\t\n\f\r\"\\"}`, `{"a":"\b\t\n\f\r\"\\"}`},
	{"short escapes for long ones", `{"a":"\u0008\u0009\u000A\u000c\u000D\u0022\u005C"}`, `{"a":"\b\t\n\f\r\"\\"}`},
	{"other control characters", `{"a":"\u0000\u001F"}`, `{"a":"\u0000\u001f"}`},
	{"characters that HTML escapes", `{"a":"\u003c>&\u2028\u007f"}`, "{\"a\":\"<>&\u2028\u007f\"}"},
	{"escaped key", `{"\u0061":1}`, `{"a":1}`},
	{"integers", `[0,1,-1,10]`, `[0,1,-1,10]`},
	{"largest integers", `[9007199254740991,-9007199254740991]`, `[9007199254740991,-9007199254740991]`},
	{"integer too large", `[9007199254740992]`, ``},
	{"integer too small", `[-9007199254740992]`, ``},
	{"integer beyond 64 bits", `[18446744073709551616]`, ``},
	{"fraction", `[1.5]`, ``},
	{"key twice", `{"a":1,"a":1}`, ``},
	{"key twice, once escaped", `{"a":1,"\u0061":2}`, ``},
	{"lone surrogate", `{"a":"\ud800"}`, ``},
	{"invalid UTF-8", "{\"a\":\"\xff\"}", ``},
	{"trailing comma", `[1,]`, ``},
	{"two values", `{}{}`, ``},
	{"nothing", ``, ``},
	{"no number", `[01]`, ``},
	{"raw control character", "[\"\n\"]", ``},
	{"single quotes", `{'a':1}`, ``},
}

func makeCanonical() (File, error) {
	var vectors []Canonical
	for _, c := range canonical {
		v := Canonical{Name: c.name, Input: Hex(c.input), Canonical: Hex(c.form), Expect: interop.Accepted.String()}
		theirs := json.RawMessage(c.input)
		if c.form == "" {
			v.Expect = expectRefused
		} else if err := canonicaljson.Canonicalize(&theirs); err != nil {
			return File{}, err
		} else if string(theirs) != c.form {
			v.Mautrix = Hex(theirs)
		}
		vectors = append(vectors, v)
	}
	return File{
		Kind:        "canonical-json",
		Description: "Canonical JSON (Matrix specification, appendices): texts and their canonical forms, and texts that must be refused.",
		Origin:      Origin{Library: "the Matrix specification; forms compared with mautrix v0.28.0"},
		Expect:      []string{interop.Accepted.String(), expectRefused},
		Vectors:     vectors,
	}, nil
}
