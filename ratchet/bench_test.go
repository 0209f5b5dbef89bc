package ratchet

import (
	"crypto/rand"
	"testing"
)

// Benchmarks of the operations that are compared with other implementations:
// 1 KiB messages, and unless the name says Held each starts from a session
// record and ends with one.

func benchText() []byte { return make([]byte, 1024) }

func BenchmarkEncryptHeld(b *testing.B) {
	_, bob := benchPair(b)
	bob, _ = mustEncrypt(b, bob, "turn")
	text := benchText()
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if bob, _, err = bob.Encrypt(rand.Reader, text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecryptHeld(b *testing.B) {
	alice, bob := benchPair(b)
	bob, m := mustEncrypt(b, bob, string(benchText()))
	first := mustParse(b, m)
	alice, _ = mustDecrypt(b, alice, m)
	_, m = mustEncrypt(b, bob, string(benchText()))
	second := mustParse(b, m)
	if first.Index+1 != second.Index {
		b.Fatal("messages are not of one chain")
	}
	b.ReportAllocs()
	for b.Loop() {
		parsed, err := ParseNormalMessage(m.Body)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := alice.Decrypt(parsed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecryptTurn(b *testing.B) {
	alice, bob := benchPair(b)
	_, m := mustEncrypt(b, bob, string(benchText()))
	benchStored(b, alice, m)
}

func BenchmarkDecryptSkipping39(b *testing.B) {
	alice, bob := benchPair(b)
	bob, m := mustEncrypt(b, bob, "turn")
	alice, _ = mustDecrypt(b, alice, m)
	for range 40 {
		bob, m = mustEncrypt(b, bob, string(benchText()))
	}
	benchStored(b, alice, m)
}

// benchStored decrypts one message over and over from a record to a record.
func benchStored(b *testing.B, s Session, m Message) {
	before := mustRecord(b, s)
	buf := make([]byte, 0, 8192)
	b.ReportAllocs()
	for b.Loop() {
		s, err := DecodeSession(before)
		if err != nil {
			b.Fatal(err)
		}
		parsed, err := ParseNormalMessage(m.Body)
		if err != nil {
			b.Fatal(err)
		}
		if s, _, err = s.Decrypt(parsed); err != nil {
			b.Fatal(err)
		}
		if _, err := s.AppendBinary(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkInboundDecrypt(b *testing.B) {
	a, k := newParty(b), newParty(b)
	alice, err := NewOutbound(rand.Reader, a.identity, k.identity.Public(), k.oneTime.Public())
	if err != nil {
		b.Fatal(err)
	}
	_, m := mustEncrypt(b, alice, string(benchText()))
	buf := make([]byte, 0, 8192)
	b.ReportAllocs()
	for b.Loop() {
		parsed, err := ParsePreKeyMessage(m.Body)
		if err != nil {
			b.Fatal(err)
		}
		s, err := NewInbound(k.identity, k.oneTime, parsed)
		if err != nil {
			b.Fatal(err)
		}
		if s, _, err = s.Decrypt(parsed.Normal); err != nil {
			b.Fatal(err)
		}
		if _, err := s.AppendBinary(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOutboundEncrypt(b *testing.B) {
	a, k := newParty(b), newParty(b)
	text := benchText()
	buf := make([]byte, 0, 8192)
	b.ReportAllocs()
	for b.Loop() {
		s, err := NewOutbound(rand.Reader, a.identity, k.identity.Public(), k.oneTime.Public())
		if err != nil {
			b.Fatal(err)
		}
		if s, _, err = s.Encrypt(rand.Reader, text); err != nil {
			b.Fatal(err)
		}
		if _, err := s.AppendBinary(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	alice, full := benchPair(b)
	_ = alice
	b.Run("two chains", func(b *testing.B) { benchRecord(b, full) })
	b.Run("full", func(b *testing.B) { benchRecord(b, fullSession(b)) })
}

func benchRecord(b *testing.B, s Session) {
	record := mustRecord(b, s)
	buf := make([]byte, 0, len(record))
	b.SetBytes(int64(len(record)))
	b.ReportAllocs()
	for b.Loop() {
		s, err := DecodeSession(record)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.AppendBinary(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkKeyPair(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := GenerateKeyPair(rand.Reader); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSharedSecret(b *testing.B) {
	a, k := newParty(b), newParty(b)
	private, peer := a.identity.Private(), k.identity.Public()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := private.agree(&peer); err != nil {
			b.Fatal(err)
		}
	}
}
