package otk

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"
	"time"

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
	p, _ = p.Offer(4, noon)
	if p, err = p.Publish(noon, 1, 2); err != nil {
		t.Fatal(err)
	}
	if p, err = p.Abandon(noon, 3); err != nil {
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
	used, err := newKey(t, false).Use(sessionID, Moment{Time: noon})
	if err != nil {
		t.Fatal(err)
	}
	used2, err := newKey(t, false).Use(sessionID, Moment{Time: noon, Order: 1<<63 + 5})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []Key{newKey(t, false), newKey(t, true), used, used2} {
		recordtest.Strict(t, k, DecodeKey)
	}
	if back, err := DecodeKey(mustEncode(t, used2)); err != nil || back.UsedIn() != 1<<63+5 {
		t.Errorf("used in %d, %v", back.UsedIn(), err)
	}
	for _, p := range []Pool{{}, NewPool(), samplePool(t), samplePool(t).Raise(noon), {raised: true, last: 9, fallbacks: falling(9)}} {
		recordtest.Strict(t, p, DecodePool)
	}
}

// falling returns n fallback keys, the newest first.
func falling(n int) (f []Fallback) {
	for id := ID(n); id > 0; id-- {
		f = append(f, Fallback{ID: id})
	}
	return f
}

// TestRaise: a pool of format 1 knows no times, so they are those of its raise.
func TestRaise(t *testing.T) {
	old := samplePool(t)
	old, err := old.PublishFallback(noon, old.fallbacks[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	later := noon.Add(time.Hour)
	back, err := DecodePool(encodePool(t, old.Raise(later)))
	if err != nil || !back.Raised() || old.Raised() {
		t.Fatalf("raised is %v, %v", back.Raised(), err)
	}
	for e := range back.Entries() {
		if e.Stage == Generated && !e.InBody.IsZero() || e.Stage != Generated && !e.InBody.Equal(later) {
			t.Errorf("key %v (%v) in a body at %v", e.ID, e.Stage, e.InBody)
		}
	}
	for i, want := range []time.Time{{}, later} {
		if f := back.fallbacks[i]; !f.InBody.Equal(later) || !f.Superseded.Equal(want) {
			t.Errorf("fallback %d in a body at %v, superseded at %v", i, f.InBody, f.Superseded)
		}
	}
	if again := back.Raise(later.Add(time.Hour)); !bytes.Equal(encodePool(t, again), encodePool(t, back)) {
		t.Error("a raised pool was raised again")
	}
}

// writeKey writes a key record of any content.
func writeKey(id uint64, fallback bool, private, session []byte, usedAt uint64) []byte {
	return record.Encode(keyVersion1, keyFields1, 0, func(w *record.Writer) {
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
		"fallback not given out": {last: 9, fallbacks: []Fallback{{ID: 10}}},
		"fallback out of order":  {last: 9, fallbacks: []Fallback{{ID: 3}, {ID: 4}}},
		"fallback twice":         {last: 9, fallbacks: []Fallback{{ID: 3}, {ID: 3}}},
		"three fallbacks":        {last: 9, fallbacks: []Fallback{{ID: 3}, {ID: 2}, {ID: 1}}},
		"ten in format 2":        {raised: true, last: 99, fallbacks: falling(10)},
		"offered in no body":     {raised: true, last: 9, entries: []Entry{entry(2, Offered)}},
		"generated in a body":    {raised: true, last: 9, entries: []Entry{{ID: 2, Stage: Generated, InBody: noon}}},
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
