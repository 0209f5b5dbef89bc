package main

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/internal/unpadded"
)

// FuzzDecodeBase64: what is accepted is an encoding of its bytes, which are read
// from the one that is printed too.
func FuzzDecodeBase64(f *testing.F) {
	for _, s := range []string{"", "AA", "AAA", "AAAA", "AAAAA", "AA==", "A\nAA", "_-AA", "AB", "//++"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := decodeBase64("text", s)
		switch {
		case err == nil && !sameBase64(b, s):
			t.Errorf("%q decodes to %x, which is %q", s, b, unpadded.Encode(b))
		case err != nil && !errors.Is(err, errBase64):
			t.Errorf("%q: %v", s, err)
		}
	})
}

// sameBase64 reports whether s has the characters of b, but for padding and the
// last one's bits.
func sameBase64(b []byte, s string) bool {
	printed := unpadded.Encode(b)
	again, err := decodeBase64("text", printed)
	bare := strings.TrimRight(s, "=")
	n := max(len(printed)-1, 0)
	return err == nil && bytes.Equal(again, b) && len(bare) == len(printed) && bare[:n] == printed[:n] && len(s)-len(bare) <= 2
}

// TestKeyWords: what is wrong with a key is said in characters, and padding is
// none of it.
func TestKeyWords(t *testing.T) {
	const key = "3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08"
	for text, want := range map[string]string{
		key: "", key + "=": "", key[:42] + "9": "", // a stray bit
		"":             "--to has 0 characters, want a Curve25519 key in base64, of 43 characters",
		"x":            "--to has 1 character, want a Curve25519 key in base64, of 43 characters",
		"xyz":          "--to has 3 characters, want a Curve25519 key in base64, of 43 characters",
		key + "A":      "--to has 44 characters, want a Curve25519 key in base64, of 43 characters",
		key[:42] + "-": `--to is not base64: byte "-" at character 43`,
	} {
		_, err := keyFlag("to", text)
		if got := fmt.Sprint(err); got != want && (err != nil || want != "") {
			t.Errorf("%q: %s, want %q", text, got, want)
		}
	}
}

// FuzzParseIncoming: any line is a message or has one of the codes.
func FuzzParseIncoming(f *testing.F) {
	for _, s := range []string{
		"", "{}", "null", "[]", `{"sender_key":1}`, `{"sender_key":"","type":0,"body":""}`, `{"type":1e400}`,
		`{"sender_key":"3p7bfXt9wbTTW2HC7OQ1Nz+DQ8hbeGdNrfx+FG+IK08","type":1,"body":"AAAA"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		m, err := parseIncoming(text)
		if code := lineCode(err); err != nil && code != "json" && code != "base64" && code != "sender_key" {
			t.Errorf("%q: code %q (%v)", text, code, err)
		}
		if err != nil {
			return
		}
		again, err := parseIncoming([]byte(`{"sender_key":"` + m.Sender.String() + `","type":` + strconv.Itoa(int(m.Message.Type)) + `,"body":"` + messageOf(m.Message).Body + `"}`))
		if err != nil || again.Sender != m.Sender || string(again.Message.Body) != string(m.Message.Body) || again.Message.Type != m.Message.Type {
			t.Errorf("%q: %v, then %v (%v)", text, m, again, err)
		}
	})
}
