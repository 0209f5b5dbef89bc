package main

import (
	"crypto/rand"
	"encoding/json"
	"errors"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/crypto/signatures"
	"maunium.net/go/mautrix/id"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// claim is a one-time key of a device as /keys/claim gives it, signed.
type claim struct {
	of     ourDevice
	signed []byte
}

func newClaim() (c claim, err error) {
	if c.of, err = newDevice("@bob:example.org"); err != nil {
		return c, err
	}
	raw, err := json.Marshal(map[string]string{"key": c.of.key.Public().String()})
	if err != nil {
		return c, err
	}
	c.signed, err = c.of.account.SignJSON(raw)
	return c, err
}

// ourOpenClaims reads the account, verifies each key's signature, and writes a
// session for each.
func ourOpenClaims(int) (func(int) error, error) {
	alice, err := newDevice("@alice:example.org")
	if err != nil {
		return nil, err
	}
	c, err := newClaim()
	return func(int) error {
		a, err := account.Decode(alice.record)
		for range claimed {
			if err != nil {
				return err
			}
			err = c.open(a)
		}
		return err
	}, err
}

func (c claim) open(a account.Account) error {
	if err := account.VerifyJSON(c.signed, "@bob:example.org", "DEVICE", c.of.account.Fingerprint()); err != nil {
		return err
	}
	var k struct{ Key string }
	if err := json.Unmarshal(c.signed, &k); err != nil {
		return err
	}
	oneTime, err := ratchet.ParsePublicKey(k.Key)
	if err != nil {
		return err
	}
	s, err := a.OpenOutbound(rand.Reader, c.of.account.Identity(), oneTime, session.Moment{Time: now})
	if err != nil {
		return err
	}
	_, err = s.Encode()
	return err
}

// openClaims is what mautrix-go does with an answer, without its store.
func (t their) openClaims(int) (func(int) error, error) {
	alice, _, err := t.device()
	if err != nil {
		return nil, err
	}
	c, err := newClaim()
	if err != nil {
		return nil, err
	}
	identity, signer := id.Curve25519(c.of.account.Identity().String()), id.Ed25519(c.of.account.Fingerprint().String())
	return func(int) error {
		for range claimed {
			var k mautrix.OneTimeKey
			if err := json.Unmarshal(c.signed, &k); err != nil {
				return err
			}
			ok, err := signatures.VerifySignatureJSON(k.RawData, "@bob:example.org", "DEVICE", signer)
			if err != nil || !ok {
				return errors.Join(err, errors.New("the signature of a claimed key does not hold"))
			}
			if _, err := alice.NewOutboundSession(identity, k.Key); err != nil {
				return err
			}
		}
		return nil
	}, nil
}
