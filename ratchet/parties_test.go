package ratchet

import (
	"bytes"
	"crypto/rand"
	"io"
	mathrand "math/rand/v2"
	"testing"
)

// party is one side's long-lived key and one one-time key.
type party struct{ identity, oneTime KeyPair }

func newParty(t testing.TB) party { return newPartyFrom(t, rand.Reader) }

func newPartyFrom(t testing.TB, source io.Reader) party {
	t.Helper()
	return party{mustKeyPair(t, source), mustKeyPair(t, source)}
}

// seeded is a random source that yields the same bytes for the same seed.
func seeded(seed uint64) io.Reader {
	var b [32]byte
	for i := range 8 {
		b[i] = byte(seed >> (8 * i))
	}
	return mathrand.NewChaCha8(b)
}

func mustKeyPair(t testing.TB, source io.Reader) KeyPair {
	t.Helper()
	k, err := GenerateKeyPair(source)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// openPair returns the two ends of a session, Alice's before any answer and
// Bob's after her first message.
func openPair(t testing.TB, source io.Reader) (alice, bob Session) {
	t.Helper()
	a, b := newPartyFrom(t, source), newPartyFrom(t, source)
	alice, err := NewOutbound(source, a.identity, b.identity.Public(), b.oneTime.Public())
	if err != nil {
		t.Fatal(err)
	}
	alice, m := mustEncrypt(t, alice, "first")
	parsed, err := ParsePreKeyMessage(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	if bob, err = NewInbound(b.identity, b.oneTime, parsed); err != nil {
		t.Fatal(err)
	}
	bob, _ = mustDecrypt(t, bob, m)
	return alice, bob
}

// benchPair returns ends that both have received.
func benchPair(t testing.TB) (alice, bob Session) {
	t.Helper()
	alice, bob = openPair(t, rand.Reader)
	bob, m := mustEncrypt(t, bob, "answer")
	alice, _ = mustDecrypt(t, alice, m)
	alice, m = mustEncrypt(t, alice, "again")
	bob, _ = mustDecrypt(t, bob, m)
	return alice, bob
}

// fullSession returns a session whose record is the largest there is.
func fullSession(t testing.TB) Session {
	t.Helper()
	alice, bob := openPair(t, rand.Reader)
	for range MaxReceiverChains {
		var m Message
		for range MaxSkippedKeys + 1 {
			bob, m = mustEncrypt(t, bob, "skipped")
		}
		alice, _ = mustDecrypt(t, alice, m)
		alice, m = mustEncrypt(t, alice, "turn")
		bob, _ = mustDecrypt(t, bob, m)
	}
	return alice
}

func mustEncrypt(t testing.TB, s Session, text string) (Session, Message) {
	t.Helper()
	next, m, err := s.Encrypt(rand.Reader, []byte(text))
	if err != nil {
		t.Fatalf("Encrypt: %v", err)
	}
	return next, m
}

func mustDecrypt(t testing.TB, s Session, m Message) (Session, Plaintext) {
	t.Helper()
	next, text, err := s.Decrypt(mustParse(t, m))
	if err != nil {
		t.Fatalf("Decrypt: %v", err)
	}
	return next, text
}

func mustParse(t testing.TB, m Message) NormalMessage {
	t.Helper()
	parsed, err := parseAny(m)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func parseAny(m Message) (NormalMessage, error) {
	if m.Type == Normal {
		return ParseNormalMessage(m.Body)
	}
	parsed, err := ParsePreKeyMessage(m.Body)
	return parsed.Normal, err
}

func mustRecord(t testing.TB, s Session) []byte {
	t.Helper()
	b, err := s.AppendBinary(nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sameSession(t testing.TB, a, b Session) bool {
	t.Helper()
	return bytes.Equal(mustRecord(t, a), mustRecord(t, b))
}
