package otk

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/record/recordtest"
)

// samplePool has keys at every stage and both fallback keys.
func samplePool(t testing.TB) Pool {
	t.Helper()
	p, _, err := Pool{}.Generate(rand.Reader, 6, noon)
	if err != nil {
		t.Fatal(err)
	}
	p, _ = p.Offer(4)
	if p, err = p.Publish(1, 2); err != nil {
		t.Fatal(err)
	}
	if p, err = p.Abandon(3); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if p, _, _, err = p.RotateFallback(rand.Reader, noon); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestRecordsAreStrict(t *testing.T) {
	used, err := newKey(t, false).Use(sessionID, noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []Key{newKey(t, false), newKey(t, true), used} {
		recordtest.Strict(t, k, DecodeKey)
	}
	recordtest.Strict(t, Pool{}, DecodePool)
	recordtest.Strict(t, samplePool(t), DecodePool)
}

// writeKey writes a key record of any content.
func writeKey(id uint64, fallback bool, private, session []byte, usedAt uint64) []byte {
	return record.Encode(keyVersion, keyFields, 0, func(w *record.Writer) {
		w.Uint(id)
		w.Bool(fallback)
		w.Uint(1)
		w.Bytes(make([]byte, 32))
		w.Bytes(private)
		w.Bytes(session)
		w.Uint(usedAt)
	})
}

func TestDecodeKeyRefusesMixtures(t *testing.T) {
	full := make([]byte, 32)
	for name, in := range map[string][]byte{
		"id 0":                       writeKey(0, false, full, nil, 0),
		"id above 32 bits":           writeKey(1<<32, false, full, nil, 0),
		"private and session":        writeKey(1, false, full, full, 0),
		"neither":                    writeKey(1, false, nil, nil, 0),
		"used with a private part":   writeKey(1, false, full, nil, 5),
		"used without a session":     writeKey(1, false, nil, nil, 5),
		"used fallback key":          writeKey(1, true, nil, full, 5),
		"short private part":         writeKey(1, false, full[:31], nil, 0),
		"session without time":       writeKey(1, false, nil, full, 0),
		"used with all":              writeKey(1, false, full, full, 5),
		"tombstone of short session": writeKey(1, false, nil, full[:31], 5),
	} {
		if _, err := DecodeKey(in); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
	if _, err := DecodeKey(writeKey(1, false, nil, full, 5)); err != nil {
		t.Errorf("a tombstone: %v", err)
	}
}

func TestDecodePoolRefusesDisorder(t *testing.T) {
	entry := func(id ID, s Stage) Entry { return Entry{ID: id, Stage: s} }
	for name, p := range map[string]Pool{
		"entries out of order":   {last: 9, entries: []Entry{entry(2, Offered), entry(1, Offered)}},
		"one id twice":           {last: 9, entries: []Entry{entry(2, Offered), entry(2, Offered)}},
		"id 0":                   {last: 9, entries: []Entry{entry(0, Offered)}},
		"id never given out":     {last: 9, entries: []Entry{entry(10, Offered)}},
		"stage 0":                {last: 9, entries: []Entry{entry(1, 0)}},
		"stage 5":                {last: 9, entries: []Entry{entry(1, 5)}},
		"fallback not given out": {last: 9, current: Fallback{ID: 10}},
		"fallback out of order":  {last: 9, current: Fallback{ID: 3}, previous: Fallback{ID: 4}},
		"fallback twice":         {last: 9, current: Fallback{ID: 3}, previous: Fallback{ID: 3}},
		"too many":               {last: MaxKeys + 1, entries: filled(MaxKeys+1, func(int) Stage { return Offered }).entries},
	} {
		if _, err := DecodePool(encodePool(t, p)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
}

func FuzzDecodeKey(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) { recordtest.Stable(t, in, DecodeKey) })
}

func FuzzDecodePool(f *testing.F) {
	f.Fuzz(func(t *testing.T, in []byte) { recordtest.Stable(t, in, DecodePool) })
}

func BenchmarkGenerate50(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := (Pool{}).Generate(rand.Reader, 50, noon); err != nil {
			b.Fatal(err)
		}
	}
}

// With what is to be stored: 50 key records and the pool.
func BenchmarkGenerate50Encoded(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		p, keys, err := Pool{}.Generate(rand.Reader, 50, noon)
		if err != nil {
			b.Fatal(err)
		}
		encodePool(b, p)
		for _, k := range keys {
			mustEncode(b, k)
		}
	}
}

func BenchmarkKeyRecord(b *testing.B) {
	key := newKey(b, false)
	encoded := bytes.Clone(mustEncode(b, key))
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			mustEncode(b, key)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := DecodeKey(encoded); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkPoolRecord100(b *testing.B) {
	encoded := encodePool(b, filled(100, func(int) Stage { return Published }))
	b.ReportAllocs()
	for b.Loop() {
		p, err := DecodePool(encoded)
		if err != nil {
			b.Fatal(err)
		}
		encodePool(b, p)
	}
}
