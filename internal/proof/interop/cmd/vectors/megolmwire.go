//go:build libolm

package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	"maunium.net/go/mautrix/crypto/olm"
)

// MegolmWire is one message shown to a key, or one key shown to a reader of keys.
type MegolmWire struct {
	Name      string        `json:"name"`
	Comment   string        `json:"comment,omitempty"`
	Format    string        `json:"format,omitempty"` // of a key: shared, exported
	Key       Body          `json:"key,omitempty"`    // what the message is shown to, exported
	Body      Body          `json:"body"`
	Expect    string        `json:"expect"`
	Plaintext *Hex          `json:"plaintext,omitempty"`
	Fields    *MegolmFields `json:"fields,omitempty"`
	Libolm    string        `json:"libolm"`
}

// MegolmFields are the parts of a message or key that can be parsed.
type MegolmFields struct {
	Index     uint32 `json:"index"`
	SessionID string `json:"session_id,omitempty"`
}

// megolmForger makes messages of a session as nobody sends them, with good MACs
// and signatures. It uses neither Pawl nor libolm.
type megolmForger struct {
	state   pickle.OutboundGroup
	signing ed25519.PrivateKey
	okm     []byte
}

const (
	megolmIndex = 300
	megolmText  = "a text of more than one block"
)

func newMegolmForger(s *megolmScript) (*megolmForger, error) {
	state, err := s.at(megolmIndex)
	if err != nil {
		return nil, err
	}
	okm, err := hkdf.Key(sha256.New, state.Ratchet[:], nil, "MEGOLM_KEYS", 80)
	return &megolmForger{state: state, signing: ed25519.NewKeyFromSeed(s.random[128:160]), okm: okm}, err
}

func (f *megolmForger) ciphertext(padded []byte) []byte {
	block, err := aes.NewCipher(f.okm[:32])
	if err != nil {
		panic(err) // it has 32 bytes
	}
	out := make([]byte, len(padded))
	cipher.NewCBCEncrypter(block, f.okm[64:]).CryptBlocks(out, padded)
	return out
}

func (f *megolmForger) seal(version byte, fields ...[]byte) []byte {
	b := append([]byte{version}, bytes.Join(fields, nil)...)
	mac := hmac.New(sha256.New, f.okm[32:64])
	mac.Write(b)
	b = append(b, mac.Sum(nil)[:8]...)
	return append(b, ed25519.Sign(f.signing, b)...)
}

func (f *megolmForger) shared() []byte {
	b := binary.BigEndian.AppendUint32([]byte{2}, f.state.Index)
	b = slices.Concat(b, f.state.Ratchet[:], f.state.Public[:])
	return append(b, ed25519.Sign(f.signing, b)...)
}

func (f *megolmForger) exported() []byte { return append([]byte{1}, f.shared()[1:165]...) }

func varint(tag byte, v uint64) []byte { return binary.AppendUvarint([]byte{tag}, v) }

func lengthDelimited(tag byte, v []byte) []byte {
	return append(binary.AppendUvarint([]byte{tag}, uint64(len(v))), v...)
}

func padded(text string) []byte {
	n := 16 - len(text)%16
	return append([]byte(text), bytes.Repeat([]byte{byte(n)}, n)...)
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	if at < 0 {
		at += len(b)
	}
	b[at] ^= 1
	return b
}

// megolmCase is a message or key and what Pawl must say to it.
type megolmCase struct {
	name    string
	body    []byte
	want    interop.Verdict
	comment string
}

func (f *megolmForger) messages() []megolmCase {
	text := f.ciphertext(padded(megolmText))
	index, encrypted := varint(8, megolmIndex), lengthDelimited(0x12, text)
	good := f.seal(3, index, encrypted)
	unknown := slices.Concat(varint(7<<3, 5), lengthDelimited(9<<3|2, []byte("unknown")))
	other := *f
	other.state.Ratchet[127] ^= 1
	okm, err := hkdf.Key(sha256.New, other.state.Ratchet[:], nil, "MEGOLM_KEYS", 80)
	if err != nil {
		panic(err) // its lengths are constants
	}
	other.okm = okm
	return []megolmCase{
		{"canonical", good, interop.Accepted, ""},
		{"fields in the other order", f.seal(3, encrypted, index), interop.Accepted, ""},
		{"unknown fields", f.seal(3, unknown, index, unknown, encrypted, unknown), interop.Accepted, ""},
		{"repeated fields, the last counts", f.seal(3, varint(8, 7), lengthDelimited(0x12, []byte("x")), index, encrypted), interop.Accepted, ""},
		{"index longer than needed", f.seal(3, []byte{8, 0xac, 0x82, 0x80, 0}, encrypted), interop.Accepted, ""},
		{"index before the first known", f.seal(3, varint(8, megolmIndex-1), encrypted), interop.TooEarly, ""},
		{"signature changed", flip(good, -1), interop.BadSignature, ""},
		{"MAC changed", flip(good, -70), interop.BadSignature, "the signature covers it"},
		{"ciphertext changed", flip(good, 8), interop.BadSignature, ""},
		{"index changed", flip(good, 2), interop.BadSignature, ""},
		{"signed, with another ratchet", other.seal(3, index, encrypted), interop.WrongMAC, ""},
		{"signed, of another index", f.seal(3, varint(8, megolmIndex+1), encrypted), interop.WrongMAC, ""},
		{"padding of zeros", f.seal(3, index, lengthDelimited(0x12, f.ciphertext(make([]byte, 16)))), interop.WrongMAC, "libolm does not look at all of it"},
		{"version 2", f.seal(2, index, encrypted), interop.WrongVersion, ""},
		{"version 4", f.seal(4, index, encrypted), interop.WrongVersion, ""},
		{"no index", f.seal(3, encrypted), interop.Malformed, ""},
		{"no ciphertext", f.seal(3, index), interop.Malformed, ""},
		{"empty ciphertext", f.seal(3, index, lengthDelimited(0x12, nil)), interop.Malformed, "padding is at least a byte"},
		{"ciphertext of 31 bytes", f.seal(3, index, lengthDelimited(0x12, text[:31])), interop.Malformed, ""},
		{"index of 33 bits", f.seal(3, varint(8, 1<<32+megolmIndex), encrypted), interop.Malformed, "an index is 32 bits; cut off, it would be another"},
		{"length beyond the end", f.seal(3, index, []byte{0x12, 33}, text), interop.Malformed, ""},
		{"field number 0", f.seal(3, index, encrypted, varint(0, 1)), interop.Malformed, "protobuf has no field 0"},
		{"tag in two bytes", f.seal(3, []byte{0x88, 0}, index[1:], encrypted), interop.Malformed, "a second spelling of a field"},
		{"wire type 5", f.seal(3, index, encrypted, []byte{5<<3 | 5, 0, 0, 0, 0}), interop.Malformed, "libolm stops reading there"},
		{"signature cut off", good[:len(good)-1], interop.Malformed, ""},
		{"version alone", good[:1], interop.Malformed, ""},
	}
}

func (f *megolmForger) keys() map[string][]megolmCase {
	shared, exported := f.shared(), f.exported()
	neutral := make([]byte, len(shared))
	neutral[0], neutral[133], neutral[165] = 2, 1, 1
	return map[string][]megolmCase{
		"shared": {
			{"canonical", shared, interop.Accepted, ""},
			{"index changed", flip(shared, 4), interop.BadSignature, ""},
			{"ratchet changed", flip(shared, 80), interop.BadSignature, ""},
			{"key changed", flip(shared, 140), interop.BadSignature, ""},
			{"signature changed", flip(shared, -1), interop.BadSignature, ""},
			{"key of low order", neutral, interop.BadSignature, "it verifies what nobody signed"},
			{"version 1", append([]byte{1}, shared[1:]...), interop.WrongVersion, ""},
			{"a byte fewer", shared[:len(shared)-1], interop.Malformed, ""},
			{"a byte more", append(bytes.Clone(shared), 0), interop.Malformed, ""},
		},
		"exported": {
			{"canonical", exported, interop.Accepted, ""},
			{"ratchet changed", flip(exported, 80), interop.Accepted, "it proves nothing: genuine messages will fail their MAC"},
			{"version 2", append([]byte{2}, exported[1:]...), interop.WrongVersion, ""},
			{"a byte fewer", exported[:len(exported)-1], interop.Malformed, ""},
			{"a byte more", append(bytes.Clone(exported), 0), interop.Malformed, ""},
		},
	}
}

func makeMegolmWire() (File, error) {
	s, err := newMegolm()
	if err != nil {
		return File{}, err
	}
	f, err := newMegolmForger(s)
	if err != nil {
		return File{}, err
	}
	var vectors []MegolmWire
	for _, c := range f.messages() {
		v, err := f.showMessage(c)
		if err != nil {
			return File{}, fmt.Errorf("%s: %w", c.name, err)
		}
		vectors = append(vectors, v)
	}
	return File{
		Kind:        "megolm-wire",
		Description: "Megolm messages, odd ones too, each shown to a key.",
		Expect: verdictNames(interop.Accepted, interop.Malformed, interop.WrongVersion, interop.BadSignature,
			interop.TooEarly, interop.WrongMAC),
		Vectors: vectors,
	}, nil
}

func (f *megolmForger) showMessage(c megolmCase) (MegolmWire, error) {
	reader, err := interop.Libolm{}.FromExported(f.exported())
	if err != nil {
		return MegolmWire{}, err
	}
	text, _, err := reader.Decrypt(c.body)
	v := MegolmWire{Name: c.name, Comment: c.comment, Key: f.exported(), Body: c.body, Expect: c.want.String(), Libolm: libolmMegolmName(err)}
	if c.want == interop.Accepted {
		if err != nil || string(text) != megolmText {
			return v, fmt.Errorf("libolm reads %q: %v", text, err)
		}
		v.Plaintext = ptr(Hex(megolmText))
	}
	return v, nil
}

func makeMegolmKeys() (File, error) {
	s, err := newMegolm()
	if err != nil {
		return File{}, err
	}
	f, err := newMegolmForger(s)
	if err != nil {
		return File{}, err
	}
	var vectors []MegolmWire
	for _, format := range []string{"shared", "exported"} {
		for _, c := range f.keys()[format] {
			v := MegolmWire{Name: format + ": " + c.name, Comment: c.comment, Format: format, Body: c.body, Expect: c.want.String()}
			read := interop.Libolm{}.FromShared
			if format == "exported" {
				read = interop.Libolm{}.FromExported
			}
			_, err := read(c.body)
			if v.Libolm = libolmMegolmName(err); c.want == interop.Accepted {
				if err != nil {
					return File{}, fmt.Errorf("%s: libolm says %w", v.Name, err)
				}
				v.Fields = &MegolmFields{Index: megolmIndex, SessionID: string(s.sender.ID())}
			}
			vectors = append(vectors, v)
		}
	}
	return File{
		Kind:        "megolm-key",
		Description: "Room keys in the sharing format (signed) and the export format.",
		Expect:      verdictNames(interop.Accepted, interop.Malformed, interop.WrongVersion, interop.BadSignature),
		Vectors:     vectors,
	}, nil
}

// libolmMegolmName is libolm's own name of an error.
func libolmMegolmName(err error) string {
	for name, e := range map[string]error{
		"BAD_SIGNATURE":         olm.ErrBadSignature,
		"BAD_SESSION_KEY":       olm.ErrLibolmBadSessionKey,
		"UNKNOWN_MESSAGE_INDEX": olm.ErrUnknownMessageIndex,
	} {
		if errors.Is(err, e) {
			return name
		}
	}
	return libolmName(err)
}
