package txn_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/txn"
)

// every has a field of each shape that records use.
type every struct {
	Key   [4]byte
	Bytes []byte
	Text  string
	N     uint64
	I     int32
	Yes   bool
	When  time.Time
	List  []inner
	Table map[string]uint8
	Maybe *inner
}

type inner struct {
	Name string
	At   kv.Version
}

var everyCodec = txn.Msgpack[every](3)

func sampleEvery() every {
	return every{
		Key: [4]byte{1, 2, 3, 4}, Bytes: []byte{0}, Text: "ä\x00", N: math.MaxUint64, I: math.MinInt32, Yes: true,
		When: time.Unix(1700000000, 5), List: []inner{{"a", 1}, {}}, Table: map[string]uint8{"x": 255}, Maybe: &inner{"m", 2},
	}
}

func TestMsgpackRoundTrip(t *testing.T) {
	for _, v := range []every{{}, sampleEvery()} {
		b, err := everyCodec.Append([]byte("before"), v)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(b, []byte("before\x03")) {
			t.Errorf("encoded to %x, want the version behind what was there", b)
		}
		got, err := everyCodec.Decode(b[len("before"):])
		if err != nil || !sameEvery(got, v) {
			t.Errorf("decoded to %+v, %v; want %+v", got, err, v)
		}
	}
}

func sameEvery(a, b every) bool {
	same := a.When.Equal(b.When)
	a.When, b.When = time.Time{}, time.Time{}
	return same && reflect.DeepEqual(a, b)
}

func TestMsgpackRefuses(t *testing.T) {
	good, err := everyCodec.Append(nil, sampleEvery())
	if err != nil {
		t.Fatal(err)
	}
	type shorter struct{ Key [4]byte }
	fewer, err := txn.Msgpack[shorter](3).Append(nil, shorter{})
	if err != nil {
		t.Fatal(err)
	}
	newer := bytes.Clone(good)
	newer[0] = 4
	cases := map[string][]byte{
		"nothing": nil, "a version": {3}, "newer": newer, "trailing": append(bytes.Clone(good), 0xc0), "fewer fields": fewer,
		"null": {3, 0xc0}, "an empty array": {3, 0x90}, "a map": {3, 0x81, 0xa1, 'N', 1}, "an empty map": {3, 0x80},
		"a huge array": {3, 0xdd, 0xff, 0xff, 0xff, 0xff}, "huge bytes": {3, 0x9a, 0xc6, 0xff, 0xff, 0xff, 0xff},
	}
	huge := []byte{3, 0x9a, 0xc4, 0, 0xc0, 0xa0, 0, 0, 0xc2, 0xc0, 0xdd, 0xff, 0xff, 0xff, 0xff}
	cases["a slice that would fill the memory"] = huge
	for n := range good {
		cases["cut"+string(rune('0'+n))] = good[:n]
	}
	for name, b := range cases {
		if v, err := everyCodec.Decode(b); !errors.Is(err, txn.ErrFormat) || !reflect.DeepEqual(v, every{}) {
			t.Errorf("%s: %+v, %v; want ErrFormat", name, v, err)
		}
	}
}

// FuzzMsgpack checks that a decoded value encodes, and to something that
// decodes to it again.
func FuzzMsgpack(f *testing.F) {
	for _, v := range []every{{}, sampleEvery()} {
		b, err := everyCodec.Append(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		v, err := everyCodec.Decode(in)
		if err != nil {
			if !errors.Is(err, txn.ErrFormat) {
				t.Errorf("%v is no ErrFormat", err)
			}
			return
		}
		out, err := everyCodec.Append(nil, v)
		if err != nil {
			t.Fatalf("%+v does not encode: %v", v, err)
		}
		again, err := everyCodec.Decode(out)
		if err != nil || !sameEvery(again, v) {
			t.Errorf("%x is %+v and then %+v, %v", in, v, again, err)
		}
	})
}

// blob encodes itself.
type blob string

func (b blob) AppendBinary(dst []byte) ([]byte, error) {
	if b == "bad" {
		return nil, errBad
	}
	return append(dst, b...), nil
}

var (
	errBad = errors.New("bad blob")
	blobs  = txn.Single[blob]{Kind: "blob", Codec: txn.Binary(func(b []byte) (blob, error) { return blob(b), nil })}
)

func TestBinaryCodec(t *testing.T) {
	store := newStore(t)
	db := open(store, txn.NoCache)
	put := func(b blob) error {
		_, err := txn.Do(ctx, db, func(tx *txn.Tx) (int, error) { return 0, blobs.Put(tx, b) })
		return err
	}
	big := blob(bytes.Repeat([]byte{7}, 1<<20))
	for _, b := range []blob{"", "value", big} {
		if err := put(b); err != nil {
			t.Fatal(err)
		}
		got, err := txn.View(ctx, db, func(tx *txn.Tx) (blob, error) { b, _, err := blobs.Get(tx); return b, err })
		if err != nil || got != b {
			t.Errorf("%d bytes came back as %d, %v", len(b), len(got), err)
		}
	}
	before := head(t, store)
	wantErr(t, "a value that does not encode", put("bad"), errBad)
	if head(t, store) != before {
		t.Error("something was written")
	}
}
