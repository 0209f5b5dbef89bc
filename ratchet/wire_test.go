package ratchet

import (
	"bytes"
	"crypto/rand"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/pawlkv/pawl/internal/message"
	"github.com/pawlkv/pawl/internal/message/messagetest"
)

func TestParseNormalMessage(t *testing.T) {
	p := sampleParts()
	for _, s := range normalSeeds() {
		t.Run(s.Name, func(t *testing.T) {
			m, err := ParseNormalMessage(s.In)
			if !errors.Is(err, s.Want) {
				t.Fatalf("%v, want %v", err, s.Want)
			}
			if err != nil || s.Name == "wrong MAC" {
				return
			}
			text, err := (*remoteMessageKey)(&p.key).open(m)
			if err != nil || string(text) != sampleText {
				t.Errorf("opens to %q, %v", text, err)
			}
			if s.Name != "largest index" && m.Index != 300 || m.RatchetKey != PublicKey(p.ratchet[2:]) {
				t.Errorf("read as index %d, ratchet key %v", m.Index, m.RatchetKey)
			}
		})
	}
}

func TestParsePreKeyMessage(t *testing.T) {
	want, err := ParsePreKeyMessage(samplePreKeyParts().canonical())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range preKeySeeds() {
		t.Run(s.Name, func(t *testing.T) {
			m, err := ParsePreKeyMessage(s.In)
			if !errors.Is(err, s.Want) {
				t.Fatalf("%v, want %v", err, s.Want)
			}
			if err == nil && (m.SessionID() != want.SessionID() || m.Normal.Index != want.Normal.Index) {
				t.Error("read as another message")
			}
		})
	}
}

func TestVersionErrorNamesTheVersion(t *testing.T) {
	var v *VersionError
	if _, err := ParseNormalMessage([]byte{4, 0, 0}); !errors.As(err, &v) || v.Version != 4 {
		t.Errorf("error %v, want version 4", err)
	}
}

// TestEveryPrefixIsRefused: a truncated message never parses, so what parses is whole.
func TestEveryPrefixIsRefused(t *testing.T) {
	normal, preKey := sampleParts().canonical(), samplePreKeyParts().canonical()
	for n := range normal {
		if _, err := ParseNormalMessage(normal[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("normal message of %d bytes: %v, want ErrMalformed", n, err)
		}
	}
	for n := range preKey {
		if _, err := ParsePreKeyMessage(preKey[:n]); !errors.Is(err, ErrMalformed) {
			t.Errorf("pre-key message of %d bytes: %v, want ErrMalformed", n, err)
		}
	}
}

// TestWeEmitTheCanonicalEncoding checks the bytes of our messages field by field.
func TestWeEmitTheCanonicalEncoding(t *testing.T) {
	alice, bob := openPair(t, rand.Reader)
	_, preKey := mustEncrypt(t, alice, "text")
	parsed, err := ParsePreKeyMessage(preKey.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(parsed.encoded(), preKey.Body) || !bytes.Equal(parsed.Normal.encoded(), parsed.Normal.raw) {
		t.Error("pre-key message is not canonical")
	}
	for range 130 { // across the indices of one byte and of two
		var m Message
		bob, m = mustEncrypt(t, bob, "text")
		n := mustParse(t, m)
		want := messagetest.Join(
			[]byte{3, 0x0A, 32}, n.RatchetKey[:],
			messagetest.NumberField(0x10, uint64(n.Index)),
			[]byte{0x22, 16}, n.ciphertext,
			m.Body[len(m.Body)-8:])
		if !bytes.Equal(m.Body, want) {
			t.Fatalf("message %d is %x, want %x", n.Index, m.Body, want)
		}
	}
}

func TestSizesAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		index := uint32(rapid.Uint64Range(0, maxIndex).Draw(t, "index"))
		text := make([]byte, rapid.IntRange(0, 70000).Draw(t, "length"))
		s := state{keys: new(PreKeys), sender: senderChain{ratchet: new(senderKey)}, received: rapid.Bool().Draw(t, "received")}
		m := new(messageKey).seal(&s, index, text)
		n, err := parseAny(m)
		if err != nil {
			t.Fatal(err)
		}
		if want := normalSize(index, message.PaddedSize(len(text))); len(n.raw) != want {
			t.Fatalf("normal message of %d bytes, computed %d", len(n.raw), want)
		}
		if m.Type == PreKey && len(m.Body) != preKeySize(len(n.raw)) {
			t.Fatalf("pre-key message of %d bytes, computed %d", len(m.Body), preKeySize(len(n.raw)))
		}
	})
}

func TestPublicKeyText(t *testing.T) {
	k := NewKeyPair([32]byte{5}).Public()
	id := PreKeys{k, k, k}.SessionID()
	if got, err := ParsePublicKey(k.String()); err != nil || got != k {
		t.Errorf("ParsePublicKey(String()) = %v, %v", got, err)
	}
	if got, err := ParseSessionID(id.String()); err != nil || got != id {
		t.Errorf("ParseSessionID(String()) = %v, %v", got, err)
	}
	for _, s := range keySeeds() {
		if got, err := ParsePublicKey(string(s.In)); !errors.Is(err, s.Want) || err == nil && s.Name != "stray bits" && got != k {
			t.Errorf("public key, %s: %v, %v, want %v", s.Name, got, err, s.Want)
		}
	}
	for _, s := range textSeeds() {
		if _, err := ParseSessionID(string(s.In)); !errors.Is(err, s.Want) {
			t.Errorf("session id, %s: %v, want %v", s.Name, err, s.Want)
		}
	}
}

// keySeeds are textSeeds for keys, which others may write in more than one way.
func keySeeds() []seed {
	seeds := textSeeds()
	for i, s := range seeds {
		if s.Name == "padded" || s.Name == "stray bits" {
			seeds[i].Want = nil
		}
	}
	return seeds
}

// textSeeds are 32 bytes in base64, and what looks like it.
func textSeeds() []seed {
	k := NewKeyPair([32]byte{5}).Public()
	good := k.String()
	return []seed{
		{"canonical", []byte(good), nil},
		{"empty", nil, ErrMalformed},
		{"padded", []byte(good + "="), ErrMalformed},
		{"too short", []byte(good[:42]), ErrMalformed},
		{"too long", []byte(good + "A"), ErrMalformed},
		{"stray bits", []byte(good[:42] + "B"), ErrMalformed},
		{"line break instead", []byte(good[:41] + "\r\n"), ErrMalformed},
		{"31 bytes and a line break", append(bytes.Repeat([]byte("A"), 42), '\n'), ErrMalformed},
		{"line break within", []byte(good[:20] + "\n" + good[20:]), ErrMalformed},
		{"line break behind", []byte(good + "\n"), ErrMalformed},
		{"url alphabet", []byte("-_" + good[2:]), ErrMalformed},
		{"space", []byte(" " + good[1:]), ErrMalformed},
	}
}
