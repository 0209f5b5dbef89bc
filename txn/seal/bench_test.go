package seal_test

import (
	"testing"

	"github.com/pawlkv/pawl/txn/seal"
)

// benchRecord is the size of an encoded session with a few skipped keys.
const benchRecord = 350

const benchPath = "0123456789012345678901/session/0123456789012345678901/0123456789012345678901"

func BenchmarkSeal(b *testing.B) {
	k, _ := create(b, seal.RawKey([32]byte{1}))
	plain := make([]byte, benchRecord)
	b.ReportAllocs()
	for b.Loop() {
		k.Seal(nil, benchPath, plain)
	}
}

func BenchmarkOpen(b *testing.B) {
	k, _ := create(b, seal.RawKey([32]byte{1}))
	sealed := k.Seal(nil, benchPath, make([]byte, benchRecord))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.Open(nil, benchPath, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkBlind(b *testing.B) {
	k, _ := create(b, seal.RawKey([32]byte{1}))
	b.ReportAllocs()
	for b.Loop() {
		k.Blind("hsm4MZmO8S7DlHlDiTbh7gwIBOrTh8Oy2UInkHuTbFk")
	}
}

func BenchmarkOpenWithPassphrase(b *testing.B) {
	u := seal.Passphrase([]byte("p"))
	_, record := create(b, u)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := seal.Open(record, u); err != nil {
			b.Fatal(err)
		}
	}
}
