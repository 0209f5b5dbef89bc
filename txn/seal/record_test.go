package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"runtime"
	"strings"
	"testing"
)

func sample(t testing.TB, u Unlock) *record {
	t.Helper()
	_, b, err := Create(rand.Reader, u)
	if err != nil {
		t.Fatal(err)
	}
	r, err := decodeRecord(b)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHostileRecordsAreErrFormat(t *testing.T) {
	for name, change := range map[string]func(*record){
		"1 TB of memory":      func(r *record) { r.Memory = 1 << 30 },
		"above the memory":    func(r *record) { r.Memory = argonMemoryMax + 1 },
		"no memory":           func(r *record) { r.Memory = 0 },
		"4 billion passes":    func(r *record) { r.Time = 1<<32 - 1 },
		"no passes":           func(r *record) { r.Time = 0 },
		"255 threads":         func(r *record) { r.Threads = 255 },
		"no threads":          func(r *record) { r.Threads = 0 },
		"unknown function":    func(r *record) { r.KDF = "md5" },
		"raw with passes":     func(r *record) { r.KDF = rawKey },
		"short salt":          func(r *record) { r.Salt = r.Salt[1:] },
		"long salt":           func(r *record) { r.Salt = make([]byte, 500) },
		"no store id":         func(r *record) { r.Store = nil },
		"short wrapped key":   func(r *record) { r.Wrapped = r.Wrapped[1:] },
		"larger than we read": func(r *record) { r.Salt = make([]byte, 2000) },
	} {
		r := sample(t, Passphrase([]byte("p")))
		change(r)
		b, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Open(b, Passphrase([]byte("p"))); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v, want ErrFormat", name, err)
		}
	}
}

// TestLengthsOfFields: nobody makes room for more bytes than there are, whatever a keyring
// says of a field.
func TestLengthsOfFields(t *testing.T) {
	body, err := sample(t, RawKey([32]byte{1})).body()
	if err != nil {
		t.Fatal(err)
	}
	salt := bytes.Index(body, []byte{0xc4, saltSize})
	forged := append(bytes.Clone(body[:salt]), 0xc6, 0xff, 0xff, 0xff, 0xff)
	forged = append(forged, body[salt+2:]...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = decodeRecord(append(forged, checksum(forged)...))
	runtime.ReadMemStats(&after)
	if want := "length of a byte string"; !errors.Is(err, ErrFormat) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("4 GiB of salt: %v, want %s", err, want)
	}
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes were allocated", n)
	}
}

func TestParametersAtTheBoundsAreAccepted(t *testing.T) {
	for _, p := range []params{
		{argon2id, argonTimeMax, argonMemoryMax, argonMax},
		{argon2id, 1, 8, 1},
		{Kind: rawKey},
	} {
		if err := p.check(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestWrappedKeyIsBoundToTheHeader(t *testing.T) {
	u := RawKey([32]byte{1})
	r := sample(t, u)
	r.Store[0] ^= 1
	b, err := r.encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(b, u); !errors.Is(err, ErrPassphrase) {
		t.Errorf("another store id: %v, want ErrPassphrase", err)
	}
}

func TestNewerRecordIsNotDamaged(t *testing.T) {
	b, err := sample(t, RawKey([32]byte{1})).encode()
	if err != nil {
		t.Fatal(err)
	}
	body := b[:len(b)-sumSize]
	body[0]++
	if _, err := Open(append(body, checksum(body)...), RawKey([32]byte{1})); !errors.Is(err, ErrVersion) || errors.Is(err, ErrFormat) {
		t.Errorf("Open = %v, want ErrVersion", err)
	}
}

// FuzzRecord checks that whatever is accepted is the only form of its fields.
// The checksum is added, since no mutation would meet it.
func FuzzRecord(f *testing.F) {
	for _, u := range []Unlock{RawKey([32]byte{1}), Passphrase([]byte("p"))} {
		b, err := sample(f, u).body()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		in := append(bytes.Clone(body), checksum(body)...)
		r, err := decodeRecord(in)
		if err != nil {
			newer := len(body) > 0 && body[0] > recordVersion && len(in) <= maxRecord
			if errors.Is(err, ErrVersion) != newer || errors.Is(err, ErrFormat) == newer {
				t.Errorf("%v, and newer is %v", err, newer)
			}
			return
		}
		if out, err := r.encode(); err != nil || !bytes.Equal(out, in) {
			t.Errorf("%x decodes and encodes to %x, %v", in, out, err)
		}
	})
}
