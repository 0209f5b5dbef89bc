package roomkeyfile

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"golang.org/x/crypto/pbkdf2"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

const room = matrix.RoomID("!room:example.org")

var passphrase = []byte("correct horse")

func second[A any](_ A, err error) error { return err }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fixed is the same bytes each time, so that files of tests can be committed.
func fixed(seed uint32) io.Reader {
	return rand.NewChaCha8([32]byte(binary.BigEndian.AppendUint32(make([]byte, 28), seed)))
}

// newKey is a room key as it comes from a file, the same each time.
func newKey(t testing.TB, index uint32) group.RoomKey {
	t.Helper()
	random := fixed(index)
	s, err := group.NewSender(random)
	must(t, err)
	key, err := s.Key().Advance(index)
	must(t, err)
	source := group.Source{Provenance: group.File, SharedHistory: index%2 == 1}
	must(t, second(random.Read(source.Sender[:])))
	if index%3 != 0 {
		signing, err := account.GenerateSigningKey(random)
		must(t, err)
		source.Claimed = signing.Public()
	}
	return group.RoomKey{Room: room, Key: key, Source: source}
}

// sealed is a file made in memory, by what the specification says and nothing of this
// package, and parts of it changed before the HMAC is made.
func sealed(text string, rounds uint32, change func(b []byte) []byte) []byte {
	b := make([]byte, 33, 37+len(text)+32)
	b[0] = 1
	for i := range b[1:] {
		b[1+i] = byte(i)
	}
	b = binary.BigEndian.AppendUint32(b, rounds)
	keys := pbkdf2.Key(passphrase, b[1:17], int(min(rounds, 10)), 64, sha512.New)
	block, _ := aes.NewCipher(keys[:32])
	b = append(b, text...)
	cipher.NewCTR(block, b[17:33]).XORKeyStream(b[37:], b[37:])
	if change != nil {
		b = change(b)
	}
	mac := hmac.New(sha256.New, keys[32:])
	mac.Write(b)
	return mac.Sum(b)
}

// armored is a file with lines of a length.
func armored(b []byte, encoding *base64.Encoding, length int, end string) []byte {
	text := []byte(encoding.EncodeToString(b))
	out := []byte(firstLine + end)
	for len(text) > 0 {
		n := min(length, len(text))
		out = append(append(out, text[:n]...), end...)
		text = text[n:]
	}
	return append(out, lastLine+end...)
}

// file is a whole file with a text.
func file(text string) []byte { return armored(sealed(text, 10, nil), base64.StdEncoding, 76, "\n") }

// write is a file with keys, by this package.
func write(t testing.TB, rounds uint32, keys ...group.RoomKey) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := newWriter(&out, fixed(rounds), passphrase, rounds)
	must(t, err)
	for _, k := range keys {
		must(t, w.Add(k))
	}
	must(t, w.Close())
	return out.Bytes()
}

// read is what a file holds, and what is wrong with keys of it.
func read(b []byte) (keys []group.RoomKey, refused []error, err error) {
	r, err := NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, nil, err
	}
	if err := r.Unlock(context.Background(), passphrase); err != nil {
		return nil, nil, err
	}
	return all(r)
}

func all(r *Reader) (keys []group.RoomKey, refused []error, err error) {
	n := 0
	for k, err := range r.Keys() {
		switch {
		case err == nil:
			keys = append(keys, k)
		case isOfKey(err):
			refused = append(refused, err)
		default:
			return keys, refused, err
		}
		n++
	}
	if n != r.Count() {
		return keys, refused, fmt.Errorf("%d keys, and %d were counted", n, r.Count())
	}
	return keys, refused, nil
}

// same reports that two keys are the same to the last byte.
func same(a, b group.RoomKey) bool {
	x, errX := a.Key.Export(nil)
	y, errY := b.Key.Export(nil)
	return errX == nil && errY == nil && bytes.Equal(x, y) && a.Room == b.Room && a.Source == b.Source
}

// entry is a room key as others write it, with members changed.
func entry(t testing.TB, k group.RoomKey, changes map[string]any) string {
	t.Helper()
	text, err := encodeKey(k)
	must(t, err)
	var o map[string]any
	must(t, json.Unmarshal(text, &o))
	for name, v := range changes {
		if o[name] = v; v == nil {
			delete(o, name)
		}
	}
	text, err = json.Marshal(o)
	must(t, err)
	return string(text)
}
