package seal_test

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/txn/seal"
)

func Example() {
	// A new store: the record goes into it, unsealed, and opens the keyring.
	ring, record, err := seal.Create(rand.Reader, seal.Passphrase([]byte("correct horse")))
	if err != nil {
		fmt.Println(err)
		return
	}
	sealed := ring.Seal(nil, "account/session/1", []byte("ratchet state"))

	// Another process, later.
	ring, err = seal.Open(record, seal.Passphrase([]byte("correct horse")))
	if err != nil {
		fmt.Println(err)
		return
	}
	plain, err := ring.Open(nil, "account/session/1", sealed)
	fmt.Printf("%s, %v\n", plain, err)

	// A value that was moved to another key does not open.
	_, err = ring.Open(nil, "account/session/2", sealed)
	fmt.Println("moved:", errors.Is(err, seal.ErrDamaged))

	// Another passphrase is another record; values stay as they are.
	record, err = ring.Rewrap(rand.Reader, seal.Passphrase([]byte("battery staple")))
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = seal.Open(record, seal.Passphrase([]byte("correct horse")))
	fmt.Println("the old passphrase:", err)
	// Output:
	// ratchet state, <nil>
	// moved: true
	// the old passphrase: seal: wrong passphrase or key
}
