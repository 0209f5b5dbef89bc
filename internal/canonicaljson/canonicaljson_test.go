package canonicaljson

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCanonicalForms(t *testing.T) {
	for in, want := range map[string]string{
		`{}`:                             `{}`,
		` { "two":"Two", "one" : 1 } `:   `{"one":1,"two":"Two"}`,
		`{"a":{"z":[1,{"y":2,"x":[]}]}}`: `{"a":{"z":[1,{"x":[],"y":2}]}}`,
		`{"本":2,"日":1}`:                  `{"日":1,"本":2}`,
		`{"a":"\u65E5"}`:                 `{"a":"日"}`,
		`{"a":null,"b":[true,false]}`:    `{"a":null,"b":[true,false]}`,
		`{"a":-0,"b":1e10}`:              `{"a":0,"b":10000000000}`,
		`[1E2,-3e+1,0e5,-0e0]`:           `[100,-30,0,0]`,
		`9007199254740991`:               `9007199254740991`,
		`-9007199254740991`:              `-9007199254740991`,
		// Above the BMP sorts after it: by code point, not by UTF-16 unit.
		`{"\ud83d\ude00":1,"\uffff":2}`:      "{\"\uffff\":2,\"\U0001f600\":1}",
		`"\/\u0022\\\b\f\n\r\t\u0001\u001F"`: `"/\"\\\b\f\n\r\t\u0001\u001f"`,
		`"<>&\u2028\u007f\ufffd"`:            "\"<>&\u2028\u007f\ufffd\"",
		`"\\ud800"`:                          `"\\ud800"`,
		`{"":0}`:                             `{"":0}`,
	} {
		got, err := Canonicalize([]byte(in))
		if err != nil || string(got) != want {
			t.Errorf("Canonicalize(%s) = %s, %v; want %s", in, got, err, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	if _, err := Canonicalize([]byte(nested(MaxDepth))); err != nil {
		t.Errorf("nesting at the limit: %v", err)
	}
	for in, want := range map[string]error{
		``: ErrSyntax, ` `: ErrSyntax, `{`: ErrSyntax, `[1,]`: ErrSyntax, `{"a":1,}`: ErrSyntax, `{"a" 1}`: ErrSyntax,
		`{} {}`: ErrSyntax, `{}x`: ErrSyntax, `01`: ErrSyntax, `+1`: ErrSyntax, `'a'`: ErrSyntax, `nul`: ErrSyntax,
		"\"\n\"": ErrSyntax, "\"\xff\"": ErrSyntax, "\ufeff{}": ErrSyntax, `[1}`: ErrSyntax, `{1:2}`: ErrSyntax,
		`"\ud800"`: ErrSyntax, `"\udc00\ud800"`: ErrSyntax, `"\ud800\u0041"`: ErrSyntax, `"\ud800\n"`: ErrSyntax,
		nested(MaxDepth + 1): ErrSyntax, nested(100000): ErrSyntax,
		`{"a":1,"a":1}`: ErrDuplicate, `{"b":{"a":1,"\u0061":2}}`: ErrDuplicate,
		`1.0`: ErrNumber, `1.5e1`: ErrNumber, `1e-1`: ErrNumber, `10e-1`: ErrNumber, `1e400`: ErrNumber, `1e-400`: ErrNumber,
		`9007199254740992`: ErrNumber, `-9007199254740992`: ErrNumber, `9007199254740993e0`: ErrNumber,
		`99999999999999999999`: ErrNumber, `1e16`: ErrNumber,
	} {
		if got, err := Canonicalize([]byte(in)); !errors.Is(err, want) {
			t.Errorf("Canonicalize(%.40q) = %s, %v; want %v", in, got, err, want)
		}
	}
}

func TestEncodeRefusals(t *testing.T) {
	loop := map[string]any{}
	loop["self"] = loop
	for _, test := range []struct {
		v    any
		want error
	}{
		{1.5, ErrType}, {struct{}{}, ErrType}, {[]any{uint8(1)}, ErrType}, {"\xff", ErrType},
		{map[string]any{"\xff": 1}, ErrType}, {map[string]any{"a": []string{}}, ErrType},
		{int64(MaxInt + 1), ErrNumber}, {int64(-MaxInt - 1), ErrNumber}, {loop, ErrSyntax},
	} {
		if got, err := Encode(test.v); !errors.Is(err, test.want) {
			t.Errorf("Encode(%T) = %s, %v; want %v", test.v, got, err, test.want)
		}
	}
}

func values(depth int) *rapid.Generator[any] {
	scalar := rapid.OneOf(
		rapid.Just[any](nil),
		rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.Int64Range(-MaxInt, MaxInt), func(n int64) any { return n }),
		rapid.Map(rapid.String(), func(s string) any { return s }),
	)
	if depth == 0 {
		return scalar
	}
	deeper := values(depth - 1)
	return rapid.OneOf(scalar,
		rapid.Map(rapid.SliceOfN(deeper, 0, 4), func(a []any) any { return append([]any{}, a...) }),
		rapid.Map(rapid.MapOfN(rapid.String(), deeper, 0, 4), func(m map[string]any) any { return m }))
}

// Decode undoes Encode, and any other JSON encoding of the value has the same
// canonical form.
func TestEncodeRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := values(3).Draw(t, "value")
		encoded, err := Encode(v)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := Decode(encoded); err != nil || !reflect.DeepEqual(back, v) {
			t.Fatalf("Decode(%s) = %v, %v", encoded, back, err)
		}
		other, err := json.MarshalIndent(v, " ", "\t")
		if err != nil {
			t.Fatal(err)
		}
		if again, err := Canonicalize(other); err != nil || !bytes.Equal(again, encoded) {
			t.Fatalf("Canonicalize(%s) = %s, %v; want %s", other, again, err, encoded)
		}
	})
}

func FuzzCanonicalize(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw []byte) {
		once, err := Canonicalize(raw)
		if err != nil {
			return
		}
		twice, err := Canonicalize(once)
		if err != nil || !bytes.Equal(once, twice) {
			t.Fatalf("%q became %q and then %q, %v", raw, once, twice, err)
		}
		var a, b any
		if json.Unmarshal(raw, &a) != nil || json.Unmarshal(once, &b) != nil || !reflect.DeepEqual(a, b) {
			t.Fatalf("%q means %v, its canonical form %q means %v", raw, a, once, b)
		}
	})
}
