//go:build libolm

package main

import (
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	"maunium.net/go/mautrix/crypto/olm"
)

// dialogue is two libolm devices and a record of what they did.
type dialogue struct {
	alice, bob pickle.Account
	accounts   map[string]interop.Account
	session    map[string]interop.Session
	openRandom Hex
	messages   []interop.Message
	steps      []Step
}

// newDialogue makes two devices; Alice has a session to Bob, who has seen nothing.
func newDialogue() (*dialogue, error) {
	d := &dialogue{accounts: map[string]interop.Account{}, session: map[string]interop.Session{}}
	for _, who := range []string{"alice", "bob"} {
		a, err := interop.Libolm{}.NewAccount()
		if err != nil {
			return nil, err
		}
		d.accounts[who] = a
	}
	oneTime, err := d.accounts["bob"].OneTimeKeys(1)
	if err != nil {
		return nil, err
	}
	if d.alice, err = d.accounts["alice"].State(); err != nil {
		return nil, err
	}
	if d.bob, err = d.accounts["bob"].State(); err != nil {
		return nil, err
	}
	random, err := interop.RecordRandomness(func() (err error) {
		d.session["alice"], err = d.accounts["alice"].Outbound(d.accounts["bob"].IdentityKey(), oneTime[0])
		return err
	})
	d.openRandom = used(random)
	return d, err
}

// used cuts off the one byte that the wrapper reads beyond libolm's wish.
func used(random []byte) Hex { return Hex(random[:len(random)-1]) }

// encrypt returns the number of the message.
func (d *dialogue) encrypt(by, plaintext string) (int, error) {
	var m interop.Message
	random, err := interop.RecordRandomness(func() (err error) {
		m, err = d.session[by].Encrypt([]byte(plaintext))
		return err
	})
	if err != nil {
		return 0, err
	}
	d.messages = append(d.messages, m)
	d.steps = append(d.steps, Step{
		Do: "encrypt", By: by, Random: ptr(used(random)), Plaintext: ptr(Hex(plaintext)), Type: &m.Type, Body: m.Body,
	})
	return len(d.messages) - 1, nil
}

// skip encrypts n messages that nobody sees.
func (d *dialogue) skip(by string, n int) error {
	const plaintext = "lost"
	random, err := interop.RecordRandomness(func() error {
		_, err := d.session[by].Encrypt([]byte(plaintext))
		return err
	})
	if err != nil {
		return err
	}
	for range n - 1 {
		if _, err := d.session[by].Encrypt([]byte(plaintext)); err != nil {
			return err
		}
	}
	d.steps = append(d.steps, Step{Do: "skip", By: by, Count: n, Random: ptr(used(random)), Plaintext: ptr(Hex(plaintext))})
	return nil
}

// open makes Bob's session from a pre-key message, without decrypting it.
func (d *dialogue) open(message int) error {
	s, err := d.accounts["bob"].Inbound(d.accounts["alice"].IdentityKey(), d.messages[message])
	d.session["bob"] = s
	d.steps = append(d.steps, Step{Do: "open", By: "bob", Message: &message})
	return err
}

// decrypt gives a message to by. want is Pawl's verdict, which libolm must
// share, in its own words, unless lenient.
func (d *dialogue) decrypt(by string, message int, want interop.Verdict) error {
	said, err := d.try(by, d.messages[message], want)
	d.steps = append(d.steps, Step{Do: "decrypt", By: by, Message: &message, Expect: want.String(), Libolm: said})
	if err != nil {
		return fmt.Errorf("message %d: %w", message, err)
	}
	return nil
}

// tampered gives bytes of no message made here to by.
func (d *dialogue) tampered(by string, m interop.Message, want interop.Verdict, comment string) error {
	said, err := d.try(by, m, want)
	d.steps = append(d.steps, Step{Do: "decrypt", By: by, Type: &m.Type, Body: m.Body, Expect: want.String(), Libolm: said, Comment: comment})
	return err
}

// only records where Pawl keeps a skipped key that libolm has dropped.
func (d *dialogue) onlyPawl(by string, message int) error {
	_, err := d.session[by].Decrypt(d.messages[message])
	d.steps = append(d.steps, Step{
		Do: "decrypt", By: by, Message: &message, Expect: interop.Accepted.String(), Libolm: libolmName(err),
		Comment: "libolm keeps 40 skipped keys in all; 40 for each chain are kept here",
	})
	if !errors.Is(err, olm.ErrBadMAC) {
		return fmt.Errorf("message %d: libolm has this key: %v", message, err)
	}
	return nil
}

func (d *dialogue) try(by string, m interop.Message, want interop.Verdict) (string, error) {
	_, err := d.session[by].Decrypt(m)
	if !errors.Is(err, interop.Libolm{}.Error(want)) {
		return "", fmt.Errorf("expected %v of libolm, got: %v", want, err)
	}
	return libolmName(err), nil
}

// libolmName is libolm's own name of an error.
func libolmName(err error) string {
	for name, e := range map[string]error{
		"BAD_MESSAGE_VERSION": olm.ErrWrongProtocolVersion,
		"BAD_MESSAGE_FORMAT":  olm.ErrBadMessageFormat,
		"BAD_MESSAGE_MAC":     olm.ErrBadMAC,
		"BAD_MESSAGE_KEY_ID":  olm.ErrBadMessageKeyID,
		"INVALID_BASE64":      olm.ErrLibolmInvalidBase64,
	} {
		if errors.Is(err, e) {
			return name
		}
	}
	if err != nil {
		return err.Error()
	}
	return interop.Accepted.String()
}

func (d *dialogue) history(name, comment string) History {
	return History{
		Name: name, Comment: comment,
		Alice:      Device{Identity: keyOf(d.alice.IdentityPrivate, d.alice.IdentityPublic)},
		Bob:        d.bobDevice(),
		OpenRandom: d.openRandom,
		SessionID:  d.session["alice"].ID(),
		Steps:      d.steps,
	}
}

func (d *dialogue) bobDevice() Device {
	oneTime := keyOf(d.bob.OneTimeKeys[0].Private, d.bob.OneTimeKeys[0].Public)
	return Device{Identity: keyOf(d.bob.IdentityPrivate, d.bob.IdentityPublic), OneTime: &oneTime}
}
