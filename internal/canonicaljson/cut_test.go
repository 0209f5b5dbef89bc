package canonicaljson

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestCut(t *testing.T) {
	for in, want := range map[string]string{
		`{}`:                       `{}`,
		`{"unsigned":{"age":1.5}}`: `{}`,
		` { "a" : 1 , "unsigned" : 1e400 , "b" : [2] } `: `{"a" : 1,"b" : [2]}`,
		`{"unsigned":"\ud83d","a":{"unsigned":1}}`:       `{"a":{"unsigned":1}}`,
		`{"unsigned":1,"unsigned":2,"a":1,"a":2}`:        `{"a":1,"a":2}`,
		`{"\u0075nsigned":1,"unsigned ":2}`:              `{"unsigned ":2}`,
		`{"\ud800":1}`:                                   `{"\ud800":1}`,
		`["unsigned"]`:                                   `["unsigned"]`,
		`{"unsigned":` + strings.Repeat("[", 500) + strings.Repeat("]", 500) + `}`: `{}`,
	} {
		if got, _, err := Cut([]byte(in), "unsigned"); err != nil || string(got) != want {
			t.Errorf("Cut(%.60s) = %s, %v; want %s", in, got, err, want)
		}
	}
	for _, in := range []string{``, `{`, `{"unsigned":}`, `{"unsigned":1}x`, `{"unsigned":01}`, `{"unsigned":NaN}`} {
		if got, _, err := Cut([]byte(in), "unsigned"); !errors.Is(err, ErrSyntax) {
			t.Errorf("Cut(%s) = %s, %v, want %v", in, got, err, ErrSyntax)
		}
	}
}

func TestCutReturnsTheLast(t *testing.T) {
	_, cut, err := Cut([]byte(`{"a":1,"s": {"x":2.5} ,"u":3,"s":[4.5]}`), "s", "u", "none")
	if err != nil || len(cut) != 2 || string(cut["s"]) != `[4.5]` || string(cut["u"]) != `3` {
		t.Errorf("cut %s, %v", cut, err)
	}
}

// Cutting leaves what decoding and deleting leaves.
func TestCutIsDeleting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		object := rapid.MapOf(rapid.SampledFrom([]string{"a", "b", "unsigned", "signatures", ""}), values(2)).Draw(t, "object")
		raw, err := json.MarshalIndent(object, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		rest, _, err := Cut(raw, "unsigned", "signatures")
		if err != nil {
			t.Fatal(err)
		}
		delete(object, "unsigned")
		delete(object, "signatures")
		want, err := Encode(map[string]any(object))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Canonicalize(rest); err != nil || string(got) != string(want) {
			t.Fatalf("%s became %s, %v, want %s", raw, got, err, want)
		}
	})
}
