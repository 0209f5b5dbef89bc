package roomkeyfile

import (
	"bufio"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"hash"
	"io"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/secret"
)

// Writer writes a room key file. One that was not closed is cut off, and refused as such
// by who reads it.
type Writer struct {
	secret.Guard
	out    *bufio.Writer
	lines  *lines
	base64 io.WriteCloser // onto lines
	mac    hash.Hash      // of all that went there
	stream cipher.Stream
	count  int
	end    error // why nothing is added any more
}

// NewWriter begins a file under a passphrase, of which the bytes count as they are.
// It takes half a second ([Rounds]), and reads 32 bytes from rand, which must be a
// cryptographic source. It fails with [ErrEmpty], or an error of rand or w.
func NewWriter(w io.Writer, rand io.Reader, passphrase []byte) (*Writer, error) {
	return newWriter(w, rand, passphrase, Rounds)
}

func newWriter(w io.Writer, rand io.Reader, passphrase []byte, rounds uint32) (*Writer, error) {
	if len(passphrase) == 0 {
		return nil, ErrEmpty
	}
	h := head{rounds: rounds}
	for _, b := range [][]byte{h.salt[:], h.iv[:]} {
		if _, err := io.ReadFull(rand, b); err != nil {
			return nil, fmt.Errorf("roomkeyfile: random bytes: %w", err)
		}
	}
	h.iv[8] &= 0x7f // bit 63, counted from the last: others count with 64 bits there
	sealed, err := derive(string(passphrase), h)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriter(w)
	l := &lines{w: out}
	f := &Writer{out: out, lines: l, base64: base64.NewEncoder(base64.StdEncoding, l), mac: sealed.mac(), stream: sealed.stream(h)}
	if _, err := out.WriteString(firstLine + "\n"); err != nil {
		return nil, err
	}
	return f, f.put(h.append(nil))
}

// Add adds a room key. One of a session whose name is no Ed25519 key is left out: no
// message is ever of it, and others refuse a whole file for it. It fails with [group.ErrNoKey] for the zero Key, which leaves
// the file as it was, with an error of the writer below, after which nothing can be
// added, and with [ErrClosed].
func (f *Writer) Add(k group.RoomKey) error {
	if f.end != nil || !readsAnything(k.Key) {
		return f.end
	}
	text, err := encodeKey(k)
	if err != nil {
		return err
	}
	defer clear(text)
	before := ",\n"
	if f.count == 0 {
		before = "["
	}
	f.count++
	return f.encrypt([]byte(before), text)
}

// Count returns how many keys are in the file.
func (f *Writer) Count() int { return f.count }

// Close finishes the file, and does not close the writer below it.
func (f *Writer) Close() error {
	if f.end != nil {
		return f.end
	}
	end := "]"
	if f.count == 0 {
		end = "[]"
	}
	if err := f.encrypt([]byte(end)); err != nil {
		return err
	}
	f.end = f.finish()
	if f.end == nil {
		f.end = ErrClosed
		return nil
	}
	return f.end
}

func (f *Writer) finish() error {
	if _, err := f.base64.Write(f.mac.Sum(nil)); err != nil {
		return err
	}
	if err := f.base64.Close(); err != nil {
		return err
	}
	if err := f.lines.finish(); err != nil {
		return err
	}
	if _, err := f.out.WriteString(lastLine + "\n"); err != nil {
		return err
	}
	return f.out.Flush()
}

// encrypt writes texts, which it overwrites.
func (f *Writer) encrypt(texts ...[]byte) error {
	for _, text := range texts {
		f.stream.XORKeyStream(text, text)
		if err := f.put(text); err != nil {
			return err
		}
	}
	return nil
}

func (f *Writer) put(b []byte) error {
	f.mac.Write(b) // never fails
	_, f.end = f.base64.Write(b)
	return f.end
}
