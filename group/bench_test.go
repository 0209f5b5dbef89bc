package group

import (
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
)

// Benchmarks of what is compared with other implementations in bench/peers: 1 KiB
// messages, from a record and to one.

func BenchmarkEncrypt(b *testing.B) {
	record, err := mustOutbound(b, mustSender(b, 60)).Encode()
	if err != nil {
		b.Fatal(err)
	}
	text := make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		o, err := DecodeOutbound(record)
		if err != nil {
			b.Fatal(err)
		}
		next, _, err := o.Sender().Encrypt(text)
		if err != nil {
			b.Fatal(err)
		}
		if _, err = o.Sent(next, time.Time{}).Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecrypt(b *testing.B) {
	s := mustSender(b, 61)
	record := encoded(b, mustInbound(b, NewCopy(s.Key(), Source{Provenance: Direct})))
	_, body := mustEncrypt(b, s, string(make([]byte, 1024)))
	b.ReportAllocs()
	for b.Loop() {
		in, err := DecodeInbound(record)
		if err != nil {
			b.Fatal(err)
		}
		m, err := ParseMessage(body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := in.Decrypt(m); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	s := mustSender(b, 62)
	_, body := mustEncrypt(b, s, string(make([]byte, 1024)))
	m := mustParse(b, body)
	covered, signature := m.signed()
	for b.Loop() {
		if account.Verify(account.VerifyKey(s.ID()), covered, signature) != nil {
			b.Fatal("not verified")
		}
	}
}

func BenchmarkAdvance10000(b *testing.B) {
	k := mustSender(b, 63).Key()
	for b.Loop() {
		mustAdvance(b, k, 10_000)
	}
}

// One step, of which 255 of 256 take one hash.
func BenchmarkStep(b *testing.B) {
	var r state
	for b.Loop() {
		r.advance(r.index + 1)
	}
}
