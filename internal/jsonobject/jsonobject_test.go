package jsonobject

import (
	"bytes"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

// asPackageJSON fails unless members and texts are those of package json, and parts of
// the text.
func asPackageJSON(t interface {
	Helper()
	Fatalf(string, ...any)
}, raw []byte) {
	t.Helper()
	var want map[string]json.RawMessage
	isObject := json.Unmarshal(raw, &want) == nil && want != nil
	got, ok := Members(raw)
	if ok != isObject {
		t.Fatalf("%q: %v, %t; package json has %v", raw, got, ok, want)
	}
	if ok && !maps.EqualFunc(got, want, func(a, b json.RawMessage) bool { return bytes.Equal(a, b) }) {
		t.Fatalf("%q: %q, package json has %q", raw, got, want)
	}
	for name, value := range got {
		if at := uintptr(unsafe.Pointer(unsafe.SliceData(value))); at < uintptr(unsafe.Pointer(&raw[0])) || at >= uintptr(unsafe.Pointer(&raw[0]))+uintptr(len(raw)) {
			t.Fatalf("%q: %q is a copy", raw, name)
		}
		asPackageJSON(t, value)
	}
	var text *string
	isText := json.Unmarshal(raw, &text) == nil && text != nil
	if s, ok := Text(raw); ok != isText || ok && s != *text {
		t.Fatalf("%q: %q, %t; package json has %v", raw, s, ok, text)
	}
	// Whatever it is, going through it ends.
	Split(raw)
}

var oddTexts = []string{
	`{}`, ` { } `, `null`, `[]`, `7`, `""`, `{"a":1}`, `{"a":1,"a":{"b":2}}`, "\t{ \"a\" :\r\n[ 1 , \"}\" ] , \"b\" : null }\n",
	`{"\u0061":1,"a":2}`, `{"a\"":"\\","b\\":"\\\""}`, `{"a":"\\\\\"}{"}`, `{"é":"é","\ud83d\ude00":"😀"}`, "{\"\xff\":\"\xff\"}",
	`{"a":-1.5e+3,"b":true,"c":false}`, `{"":""}`, `{"a":[{"b":"]"},{"c":["{"]}]}`,
	``, ` `, `{`, `}`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`, `{"a":1,}`, `{a:1}`, `{"a" 1}`, `{"a":1}}`, `{"a":1} {}`, `"\`, `"\"`, `"a`, "\"\n\"", `"\x"`, `{"a":"\`, `[[[`, `{"a":[}`,
}

func TestMembersOfOddTexts(t *testing.T) {
	for _, text := range oddTexts {
		asPackageJSON(t, []byte(text))
	}
}

// TestMembersOfRandomTexts: texts of pieces that matter, most of them no JSON, and
// JSON with a byte changed.
func TestMembersOfRandomTexts(t *testing.T) {
	pieces := []string{"{", "}", "[", "]", ",", ":", `"`, `\`, `"a"`, `"b\""`, `"\u0061"`, " ", "\n", "1", "null", "true", "é", "\xff", "\x00", `{"a":1}`, `["x"]`}
	rapid.Check(t, func(t *rapid.T) {
		var text []byte
		for _, p := range rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces") {
			text = append(text, p...)
		}
		asPackageJSON(t, text)
		object := map[string]any{}
		for _, name := range rapid.SliceOfN(rapid.String(), 0, 5).Draw(t, "names") {
			object[name] = rapid.OneOf(rapid.Just[any](nil), rapid.Map(rapid.String(), func(s string) any { return []any{s, map[string]any{s: s}} })).Draw(t, "value")
		}
		whole, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		asPackageJSON(t, whole)
		whole[rapid.IntRange(0, len(whole)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		asPackageJSON(t, whole)
	})
}

// TestAppendText: a text is written as package json reads it, behind what is there.
func TestAppendText(t *testing.T) {
	asText := func(t interface{ Fatalf(string, ...any) }, text string) {
		raw := AppendText([]byte("["), text)
		var got string
		err := json.Unmarshal(raw[1:], &got)
		if want := string([]rune(text)); err != nil || raw[0] != '[' || got != want || len(raw)-1 > MostBytes(text) {
			t.Fatalf("%q is written as %q, and read as %q, %v", text, raw, got, err)
		}
	}
	for _, text := range append(oddTexts, "\xff", "\x00", strings.Repeat("\x01", 9), "\u2028", "<&>", "\x7f") {
		asText(t, text)
	}
	rapid.Check(t, func(t *rapid.T) {
		asText(t, rapid.String().Draw(t, "text"))
		asText(t, string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")))
	})
}

func FuzzMembers(f *testing.F) {
	for _, text := range oddTexts {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, raw []byte) { asPackageJSON(t, raw) })
}
