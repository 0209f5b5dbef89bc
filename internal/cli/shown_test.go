package cli

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "@alice:example.org/My Laptop": "@alice:example.org/My Laptop", "é日\U0001f600": "é日\U0001f600",
		"a\x1b[2Jb": `a\u001b[2Jb`, "a\nb\r\tc\x7f": `a\u000ab\u000d\u0009c\u007f`, "\u009b31m": `\u009b31m`,
		"\u202eevil": `\u202eevil`, "a\u200bb\u2028": `a\u200bb\u2028`, "\U000e0041": `\U000e0041`, "\xff\ufffd": `\xff` + "\ufffd",
	} {
		if got := Shown(in); got != want {
			t.Errorf("Shown(%q) = %q, want %q", in, got, want)
		}
	}
}

// Whatever is in a value, nothing of its JSON moves a cursor, and it is the value.
func TestJSONIsShown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.MapOf(rapid.String(), rapid.String()).Draw(t, "value")
		var b bytes.Buffer
		if err := PrintJSON(&b, v); err != nil {
			t.Fatal(err)
		}
		line, ended := bytes.CutSuffix(b.Bytes(), []byte("\n"))
		var back map[string]string
		if err := json.Unmarshal(line, &back); err != nil || !reflect.DeepEqual(back, v) || !ended {
			t.Fatalf("%q reads back as %q, %v", v, back, err)
		}
		for _, r := range string(line) {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q has %U", line, r)
			}
		}
	})
}
