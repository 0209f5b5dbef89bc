package group

import (
	"io"
	"math/rand/v2"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/secret"
)

// seeded is randomness that follows from a number.
func seeded(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

func mustSender(t tester, seed byte) Sender {
	t.Helper()
	s, err := NewSender(seeded(seed))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func restored(s sender) Sender { return Sender{state: secret.Hide(s)} }

func mustEncrypt(t tester, s Sender, text string) (Sender, []byte) {
	t.Helper()
	next, body, err := s.Encrypt([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return next, body
}

func mustParse(t tester, body []byte) Message {
	t.Helper()
	m, err := ParseMessage(body)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustAdvance(t tester, k Key, index uint32) Key {
	t.Helper()
	next, err := k.Advance(index)
	if err != nil {
		t.Fatal(err)
	}
	return next
}

// exported is the whole state of a key.
func exported(t tester, k Key) string {
	t.Helper()
	b, err := k.Export(nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// tester is what rapid's tests and the standard library's share.
type tester interface {
	Helper()
	Fatal(...any)
}

func newSigningKey(random io.Reader) account.SigningKey {
	k, err := account.GenerateSigningKey(random)
	if err != nil {
		panic(err) // it is not rand that fails here
	}
	return k
}
