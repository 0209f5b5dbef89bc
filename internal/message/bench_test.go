package message

import (
	"crypto/sha256"
	"testing"
)

// What messages are made of, for the table of docs/web.md: a text of 1 KiB, with keys that
// nothing was computed of before.

func benchKey() []byte { return make([]byte, 32) }

func benchText() []byte { return make([]byte, 1024) }

func BenchmarkSHA256(b *testing.B) {
	text := benchText()
	for b.Loop() {
		sha256.Sum256(text)
	}
}

func BenchmarkHMAC(b *testing.B) {
	key, text := benchKey(), benchText()
	for b.Loop() {
		HMAC(key, text)
	}
}

// What a message key expands to: 80 bytes.
func BenchmarkHKDF(b *testing.B) {
	key := benchKey()
	for b.Loop() {
		NewCipher(key, "OLM_KEYS")
	}
}

func BenchmarkCBCEncrypt(b *testing.B) {
	c, text, buf := new(Cipher), benchText(), make([]byte, 0, 2048)
	for b.Loop() {
		c.AppendEncrypted(buf, text)
	}
}

// Opening decrypts what was encrypted, and compares its MAC before.
func BenchmarkCBCOpen(b *testing.B) {
	c := new(Cipher)
	text := c.AppendEncrypted(nil, benchText())
	mac := c.MAC(text)
	for b.Loop() {
		if _, ok := c.Open(text, mac[:], text); !ok {
			b.Fatal("not opened")
		}
	}
}
