package session_test

import (
	"crypto/rand"
	"fmt"
	"log"
	"time"

	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// Bob has two sessions with Alice. He writes in the one that she has proven to
// have, and answers her message again from its receipt.
func Example() {
	now := time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	alice, bob := generate(), generate()

	// Bob opens one, and nobody knows whether she can read it.
	ours, err := ratchet.NewOutbound(rand.Reader, bob, alice.Public(), generate().Public())
	if err != nil {
		log.Fatal(err)
	}
	outbound := session.New(ours, alice.Public(), session.Outbound, session.Moment{Time: now})

	// She opens another, and he reads her first message.
	oneTimeKey := generate()
	_, parsed := firstMessage(alice, bob.Public(), oneTimeKey.Public())
	opened, err := ratchet.NewInbound(bob, oneTimeKey, parsed)
	if err != nil {
		log.Fatal(err)
	}
	next, plaintext, err := opened.Decrypt(parsed.Normal)
	if err != nil {
		log.Fatal(err)
	}
	inbound := session.New(opened, alice.Public(), session.WithOneTimeKey, session.Moment{Time: now}).Received(next, session.Moment{Time: now.Add(time.Second)})

	chosen, _ := session.Choose([]session.Session{outbound, inbound})
	fmt.Println("writes in the session opened with a", chosen.Origin())

	// The receipt is stored with the session, and opens the same bytes again.
	receipt := session.NewReceipt(session.ReceiptOf(alice.Public(), parsed.Normal), inbound.ID(), plaintext.Key, session.Moment{Time: now})
	key, _ := receipt.Key()
	again, err := key.Open(parsed.Normal)
	fmt.Printf("reads %s, and again %s: %v\n", plaintext.Bytes, again, err)

	// Once the caller has stored the plaintext, the key is erased.
	_, kept := receipt.Acknowledged().Key()
	fmt.Println("acknowledged, keeps the key:", kept)
	// Output:
	// writes in the session opened with a one-time key
	// reads hello, and again hello: <nil>
	// acknowledged, keeps the key: false
}

func firstMessage(from ratchet.KeyPair, to, oneTimeKey ratchet.PublicKey) (ratchet.Message, ratchet.PreKeyMessage) {
	s, err := ratchet.NewOutbound(rand.Reader, from, to, oneTimeKey)
	if err != nil {
		log.Fatal(err)
	}
	_, message, err := s.Encrypt(rand.Reader, []byte("hello"))
	if err != nil {
		log.Fatal(err)
	}
	parsed, err := ratchet.ParsePreKeyMessage(message.Body)
	if err != nil {
		log.Fatal(err)
	}
	return message, parsed
}

func generate() ratchet.KeyPair {
	pair, err := ratchet.GenerateKeyPair(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	return pair
}
