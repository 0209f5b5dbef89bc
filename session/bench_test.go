package session

import "testing"

// inner is the ratchet's own cost, which the record adds to.
func BenchmarkSessionRecord(b *testing.B) {
	s := open(b).inbound()
	encoded := mustEncode(b, s)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mustEncode(b, s)
		}
	})
	b.Run("encode-ratchet-alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.ratchet.AppendBinary(make([]byte, 0, s.ratchet.RecordSize())); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeSession(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkReceiptRecord(b *testing.B) {
	o := open(b)
	r := NewReceipt(ReceiptID{7}, o.bob.ID(), o.key, Moment{Time: noon})
	encoded := mustEncode(b, r)
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mustEncode(b, r)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeReceipt(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}
