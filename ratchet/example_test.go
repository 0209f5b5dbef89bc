package ratchet_test

import (
	"crypto/rand"
	"fmt"
	"log"

	"github.com/pawlkv/pawl/ratchet"
)

// Alice opens a session to Bob and writes to him.
func Example() {
	aliceKey, bobKey, oneTimeKey := generate(), generate(), generate()

	alice, err := ratchet.NewOutbound(rand.Reader, aliceKey, bobKey.Public(), oneTimeKey.Public())
	if err != nil {
		log.Fatal(err)
	}
	next, message, err := alice.Encrypt(rand.Reader, []byte("hello"))
	if err != nil {
		log.Fatal(err)
	}
	alice = next // store it, and only then send the message

	parsed, err := ratchet.ParsePreKeyMessage(message.Body)
	if err != nil {
		log.Fatal(err)
	}
	bob, err := ratchet.NewInbound(bobKey, oneTimeKey, parsed)
	if err != nil {
		log.Fatal(err)
	}
	bob, text, err := bob.Decrypt(parsed.Normal)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, %v, same session: %v\n", text.Bytes, message.Type, alice.ID() == bob.ID())
	// Output: hello, pre-key, same session: true
}

func generate() ratchet.KeyPair {
	k, err := ratchet.GenerateKeyPair(rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	return k
}
