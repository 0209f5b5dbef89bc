package unpadded

import (
	"bytes"
	"encoding/base64"
	"testing"

	"pgregory.net/rapid"
)

func TestOthersMeanTheSame(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "AA": "\x00", "AA==": "\x00", "AB": "\x00", "AP==": "\x00", "AAA": "\x00\x00", "AAA=": "\x00\x00", "AAB=": "\x00\x00",
		"+/+/": "\xfb\xff\xbf",
	} {
		if got, ok := Decode(text); !ok || string(got) != want {
			t.Errorf("Decode(%q) = %q, %v, want %q", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"A", "A===", "AA=", "AA===", "AAA==", "AAAA=", "AAAA==", "AAAA====", "=", "====", "A=A=", "AA\n", "AAA\n", "A\r\nA", "AA AA", "-_-_", "AAAAA", "é",
	} {
		if got, ok := Decode(text); ok {
			t.Errorf("Decode(%q) = %q, want nothing", text, got)
		}
	}
}

func TestDecodeUndoesEveryEncoding(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")
		for _, text := range []string{Encode(b), base64.StdEncoding.EncodeToString(b)} {
			dst := make([]byte, len(b))
			if got, ok := Decode(text); !ok || !bytes.Equal(got, b) || !DecodeTo(dst, text) || !bytes.Equal(dst, b) {
				t.Fatalf("Decode(%q) = %x, %v, want %x", text, got, ok, b)
			}
			if DecodeTo(make([]byte, len(b)+1), text) {
				t.Fatal("fewer bytes than asked for are enough")
			}
		}
	})
}
