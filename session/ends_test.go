package session

import (
	"crypto/rand"
	"testing"
	"time"

	"github.com/pawlkv/pawl/ratchet"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

func newPair(t testing.TB) ratchet.KeyPair {
	t.Helper()
	pair, err := ratchet.GenerateKeyPair(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// opened is both ends of a session after its first message.
type opened struct {
	alice, bob       ratchet.Session
	aliceKey, bobKey ratchet.PublicKey // identity keys
	key              ratchet.MessageKey
}

func open(t testing.TB) (o opened) {
	t.Helper()
	a, b, oneTime := newPair(t), newPair(t), newPair(t)
	o.aliceKey, o.bobKey = a.Public(), b.Public()
	alice, err := ratchet.NewOutbound(rand.Reader, a, b.Public(), oneTime.Public())
	if err != nil {
		t.Fatal(err)
	}
	var m ratchet.Message
	if o.alice, m, err = alice.Encrypt(rand.Reader, []byte("first")); err != nil {
		t.Fatal(err)
	}
	parsed, err := ratchet.ParsePreKeyMessage(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	bob, err := ratchet.NewInbound(b, oneTime, parsed)
	if err != nil {
		t.Fatal(err)
	}
	var plaintext ratchet.Plaintext
	if o.bob, plaintext, err = bob.Decrypt(parsed.Normal); err != nil {
		t.Fatal(err)
	}
	o.key = plaintext.Key
	return o
}

// reply returns the ends after bob has sent a message, and the message.
func (o opened) reply(t testing.TB) (opened, ratchet.NormalMessage) {
	t.Helper()
	next, m, err := o.bob.Encrypt(rand.Reader, []byte("reply"))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ratchet.ParseNormalMessage(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	o.bob = next
	return o, parsed
}

func (o opened) outbound() Session { return New(o.alice, o.bobKey, Outbound, Moment{Time: noon}) }

func (o opened) inbound() Session { return New(o.bob, o.aliceKey, WithOneTimeKey, Moment{Time: noon}) }

func mustEncode(t testing.TB, v interface{ Encode() ([]byte, error) }) []byte {
	t.Helper()
	b, err := v.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return b
}
