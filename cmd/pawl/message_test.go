package main

import (
	"errors"
	"strconv"
	"testing"
)

// FuzzDecodeBase64: what is accepted is the one encoding of its bytes.
func FuzzDecodeBase64(f *testing.F) {
	for _, s := range []string{"", "AA", "AAA", "AAAA", "AAAAA", "AA==", "A\nAA", "_-AA", "AB", "//++"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, err := decodeBase64("text", s)
		switch {
		case err == nil && unpadded.EncodeToString(b) != s:
			t.Errorf("%q decodes to %x, which is %q", s, b, unpadded.EncodeToString(b))
		case err != nil && !errors.Is(err, errBase64):
			t.Errorf("%q: %v", s, err)
		}
	})
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
