package record

import (
	"bytes"
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// row is a record with a field of every kind.
type row struct {
	number uint64
	flag   bool
	blob   []byte
	fixed  [4]byte
	text   string
	list   []uint64
	at     time.Time
}

const (
	rowVersion = 3
	rowFields  = 7
	rowLimit   = 300
)

func (v row) encode() []byte {
	return Encode(rowVersion, rowFields, 32, func(w *Writer) {
		w.Uint(v.number)
		w.Bool(v.flag)
		w.Bytes(v.blob)
		w.Bytes(v.fixed[:])
		w.Text(v.text)
		w.Count(len(v.list))
		for _, n := range v.list {
			w.Uint(n)
		}
		w.Time(v.at)
	})
}

func decodeRow(b []byte) (v row, err error) {
	err = Decode("row", b, rowVersion, rowFields, func(r *Reader) {
		v.number = r.Uint(math.MaxUint64)
		v.flag = r.Bool()
		v.blob = bytes.Clone(r.Bytes(rowLimit))
		r.Fixed(v.fixed[:])
		v.text = r.Text(rowLimit)
		for range r.Count(rowLimit) {
			v.list = append(v.list, r.Uint(10))
		}
		v.at = r.Time()
	})
	return v, err
}

func drawRow(t *rapid.T) row {
	return row{
		number: rapid.Uint64().Draw(t, "number"),
		flag:   rapid.Bool().Draw(t, "flag"),
		blob:   rapid.SliceOfN(rapid.Byte(), 0, rowLimit).Draw(t, "blob"),
		fixed:  [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "fixed")),
		text:   rapid.StringN(0, 60, rowLimit).Draw(t, "text"),
		list:   rapid.SliceOfN(rapid.Uint64Range(0, 10), 0, rowLimit).Draw(t, "list"),
		at:     Time(time.UnixMilli(rapid.Int64().Draw(t, "at"))),
	}
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := drawRow(t)
		encoded := v.encode()
		back, err := decodeRow(encoded)
		if err != nil || !back.at.Equal(v.at) || back.text != v.text || !bytes.Equal(back.encode(), encoded) {
			t.Fatalf("%+v came back as %+v, %v", v, back, err)
		}
	})
}

func TestDecodeRefuses(t *testing.T) {
	good := row{number: 1, blob: []byte("ab"), text: "c", list: []uint64{1, 2}, at: time.UnixMilli(5)}.encode()
	for i := range good {
		if _, err := decodeRow(good[:i]); !errors.Is(err, ErrFormat) {
			t.Errorf("the first %d of %d bytes: %v, want ErrFormat", i, len(good), err)
		}
	}
	head := func(fields ...byte) []byte { return append([]byte{rowVersion, 0x97}, fields...) }
	for name, test := range map[string]struct {
		in   []byte
		want error
	}{
		"version 0":            {append([]byte{0}, good[1:]...), ErrVersion},
		"newer version":        {append([]byte{4}, good[1:]...), ErrVersion},
		"a byte more":          {append(bytes.Clone(good), 0), ErrFormat},
		"a field fewer":        {[]byte{rowVersion, 0x90}, ErrFormat},
		"a map":                {[]byte{rowVersion, 0x87}, ErrFormat},
		"text for a number":    {head(0xa1, 'x'), ErrFormat},
		"float for a number":   {head(0xca, 0, 0, 0, 0), ErrFormat},
		"number for a boolean": {head(1, 1), ErrFormat},
		"nil for bytes":        {head(1, 0xc2, 0xc0), ErrFormat},
		"4 GiB of bytes":       {head(1, 0xc2, 0xc6, 0xff, 0xff, 0xff, 0xff), ErrFormat},
		"bytes over the limit": {row{blob: make([]byte, rowLimit+1)}.encode(), ErrFormat},
		"not UTF-8":            {row{text: "\xff"}.encode(), ErrFormat},
		"element over limit":   {row{list: []uint64{11}}.encode(), ErrFormat},
		"4 billion elements":   {head(1, 0xc2, 0xc4, 0, 0xc4, 4, 1, 2, 3, 4, 0xa0, 0xdd, 0xff, 0xff, 0xff, 0xff), ErrFormat},
		"nil for an array":     {head(1, 0xc2, 0xc4, 0, 0xc4, 4, 1, 2, 3, 4, 0xa0, 0xc0, 0), ErrFormat},
		"fixed too short":      {head(1, 0xc2, 0xc4, 0, 0xc4, 3, 1, 2, 3, 0xa0, 0x90, 0), ErrFormat},
		"year 10000":           {head(1, 0xc2, 0xc4, 0, 0xc4, 4, 1, 2, 3, 4, 0xa0, 0x90, 0xcf, 0, 0, 0xff, 0, 0, 0, 0, 0), ErrFormat},
	} {
		if v, err := decodeRow(test.in); !errors.Is(err, test.want) {
			t.Errorf("%s: %+v, %v; want %v", name, v, err, test.want)
		}
	}
}

// Callers allocate by a count, so one that the input cannot hold is 0.
func TestCountIsWithinTheInput(t *testing.T) {
	err := Decode("x", []byte{1, 0x91, 0x93, 1, 2}, 1, 1, func(r *Reader) {
		if n := r.Count(5); n != 0 {
			t.Errorf("count %d with two bytes left", n)
		}
	})
	if !errors.Is(err, ErrFormat) {
		t.Errorf("%v, want ErrFormat", err)
	}
}

func TestInnerErrorsAreFound(t *testing.T) {
	inner := errors.New("inner")
	empty := Encode(1, 0, 0, func(*Writer) {})
	err := Decode("x", empty, 1, 0, func(r *Reader) {
		r.FailWith(nil)
		r.FailWith(inner)
		r.Fail("later")
	})
	if !errors.Is(err, inner) || !errors.Is(err, ErrFormat) {
		t.Errorf("%v, want inner and ErrFormat", err)
	}
}

func TestNestedRefusesAWrongSize(t *testing.T) {
	add := func(b []byte) ([]byte, error) { return append(b, 1, 2), nil }
	Encode(1, 1, 0, func(w *Writer) {
		if err := w.Nested(3, add); !errors.Is(err, ErrFormat) {
			t.Errorf("size 3 for 2 bytes: %v, want ErrFormat", err)
		}
		if err := w.Nested(2, add); err != nil {
			t.Error(err)
		}
	})
}

func TestMillisOfOddClocks(t *testing.T) {
	for in, want := range map[time.Time]int64{
		{}:                            0,
		time.UnixMilli(0):             1,
		time.UnixMilli(-1e15):         1,
		time.UnixMilli(1234):          1234,
		time.Unix(1<<55, 0):           MaxMillis,
		time.UnixMilli(MaxMillis):     MaxMillis,
		time.Unix(1, 999_999_999):     1999,
		time.UnixMilli(MaxMillis + 1): MaxMillis,
	} {
		if got := Millis(in); got != want {
			t.Errorf("Millis(%v) = %d, want %d", in, got, want)
		}
		if got := Millis(Time(in)); got != want {
			t.Errorf("Millis(Time(%v)) = %d, want %d", in, got, want)
		}
	}
}

// The word of a length costs nothing.
func TestDecodeAllocatesLittle(t *testing.T) {
	in := []byte{rowVersion, 0x97, 1, 0xc2, 0xc6, 0x7f, 0xff, 0xff, 0xff}
	result := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := decodeRow(in); err == nil {
				b.Fatal("accepted")
			}
		}
	})
	if n := result.AllocedBytesPerOp(); n > 4096 {
		t.Errorf("refusing a length of 2 GiB allocates %d bytes", n)
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(row{}.encode())
	f.Add(row{number: 1 << 40, flag: true, blob: []byte("b"), text: "t", list: []uint64{9}, at: time.UnixMilli(1)}.encode())
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := decodeRow(in)
		if err != nil {
			return
		}
		again := v.encode()
		if back, err := decodeRow(again); err != nil || !bytes.Equal(back.encode(), again) {
			t.Fatalf("%x decodes to %+v, which does not round-trip: %v", in, v, err)
		}
	})
}
