package account_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// Bob uploads his keys; Alice claims one, opens a session with it and writes;
// Bob opens his side of it.
func Example() {
	now := time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	alice, bob := create("@alice:example.org", now), create("@bob:example.org", now)

	pool, keys, err := otk.Pool{}.Generate(rand.Reader, 1, now)
	if err != nil {
		log.Fatal(err)
	}
	_, offered := pool.Offer(1, now)
	upload, err := bob.UploadBody(true, offered, otk.Fallback{})
	if err != nil {
		log.Fatal(err)
	}

	// Alice has Bob's device key from /keys/query, and verified it.
	claimed, err := claim(upload, bob.User(), bob.Device(), bob.Fingerprint())
	if err != nil {
		log.Fatal(err)
	}
	opened, err := alice.OpenOutbound(rand.Reader, bob.Identity(), claimed, session.Moment{Time: now})
	if err != nil {
		log.Fatal(err)
	}
	state, err := opened.Ratchet()
	if err != nil {
		log.Fatal(err)
	}
	_, message, err := state.Encrypt(rand.Reader, []byte("hello"))
	if err != nil {
		log.Fatal(err)
	}

	parsed, err := ratchet.ParsePreKeyMessage(message.Body)
	if err != nil {
		log.Fatal(err)
	}
	// What OpenInbound returns is stored whole, before the plaintext is used.
	in, err := bob.OpenInbound(keys[0], alice.Identity(), parsed, session.Moment{Time: now})
	if err != nil {
		log.Fatal(err)
	}
	_, _, used := in.Key.Used()
	fmt.Printf("%s reads %s; the one-time key is used: %v\n", bob.User(), in.Plaintext.Bytes, used)
	// Output: @bob:example.org reads hello; the one-time key is used: true
}

func create(user matrix.UserID, now time.Time) account.Account {
	a, err := account.New(rand.Reader, user, "PHONE", now)
	if err != nil {
		log.Fatal(err)
	}
	return a
}

// claim is what /keys/claim answers, and what a client does with it.
func claim(upload []byte, user matrix.UserID, device matrix.DeviceID, key account.VerifyKey) (ratchet.PublicKey, error) {
	var body struct {
		OneTimeKeys map[string]json.RawMessage `json:"one_time_keys"`
	}
	if err := json.Unmarshal(upload, &body); err != nil {
		return ratchet.PublicKey{}, err
	}
	signed := body.OneTimeKeys["signed_curve25519:AAAAAQ"]
	if err := account.VerifyJSON(signed, user, device, key); err != nil {
		return ratchet.PublicKey{}, err
	}
	var oneTime struct{ Key string }
	if err := json.Unmarshal(signed, &oneTime); err != nil {
		return ratchet.PublicKey{}, err
	}
	return ratchet.ParsePublicKey(oneTime.Key)
}
