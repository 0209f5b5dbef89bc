package main

import (
	"bytes"
	"errors"

	"maunium.net/go/mautrix/crypto/olm"
	"maunium.net/go/mautrix/id"
)

// pickleKey encrypts their pickles.
var pickleKey = []byte("a key for pickles, 32 bytes long")

// their is one of the implementations behind mautrix's olm interface.
type their struct {
	name           string
	newAccount     func() (olm.Account, error)
	restoreAccount func(pickled []byte) (olm.Account, error)
	restoreSession func(pickled []byte) (olm.Session, error)
	newSender      func() (olm.OutboundGroupSession, error)
	newReader      func(key []byte) (olm.InboundGroupSession, error)
}

func (t their) contestant() contestant {
	return contestant{name: t.name, also: "on a state in memory; copies are made beforehand", does: map[operation]prepare{
		encryptHeld:  t.encryptHeld,
		decryptHeld:  t.decryptHeld,
		decryptTurn:  t.decryptTurn,
		openInbound:  t.openInbound,
		openOutbound: t.openOutbound,
		openClaims:   t.openClaims,
		makeKeys:     t.makeKeys,
		storeLoad:    t.storeLoad,
		decryptSkip:  t.decryptSkip,

		megolmEncrypt: t.megolmEncrypt,
		megolmDecrypt: t.megolmDecrypt,
		megolmAdvance: t.megolmAdvance,
	}}
}

// message is one as they give it out.
type message struct {
	typ  id.OlmMsgType
	body string
}

// theirPair is two devices; both sides of the session have received, and
// Alice's next message continues a chain.
type theirPair struct {
	their
	alice, bob olm.Session
}

func (t their) pair() (*theirPair, error) {
	bob, oneTime, err := t.device()
	if err != nil {
		return nil, err
	}
	alice, _, err := t.device()
	if err != nil {
		return nil, err
	}
	p := &theirPair{their: t}
	if p.alice, err = outbound(alice, bob, oneTime); err != nil {
		return nil, err
	}
	first, err := encrypt(p.alice)
	if err != nil {
		return nil, err
	}
	if p.bob, err = bob.NewInboundSession(first.body); err != nil {
		return nil, err
	}
	if err := decrypt(p.bob, first); err != nil {
		return nil, err
	}
	return p, errors.Join(p.pass(p.bob, p.alice), p.pass(p.alice, p.bob))
}

// device is an account and one of its one-time keys.
func (t their) device() (olm.Account, id.Curve25519, error) {
	a, err := t.newAccount()
	if err != nil {
		return nil, "", err
	}
	if err := a.GenOneTimeKeys(1); err != nil {
		return nil, "", err
	}
	keys, err := a.OneTimeKeys()
	if err != nil {
		return nil, "", err
	}
	for _, key := range keys {
		return a, key, nil
	}
	return nil, "", errors.New("no one-time key")
}

func outbound(from, to olm.Account, oneTime id.Curve25519) (olm.Session, error) {
	_, identity, err := to.IdentityKeys()
	if err != nil {
		return nil, err
	}
	return from.NewOutboundSession(identity, oneTime)
}

func encrypt(s olm.Session) (message, error) {
	typ, body, err := s.Encrypt(text)
	return message{typ, string(body)}, err
}

func decrypt(s olm.Session, m message) error {
	_, err := s.Decrypt(m.body, m.typ)
	return err
}

func (p *theirPair) pass(from, to olm.Session) error {
	m, err := encrypt(from)
	if err != nil {
		return err
	}
	return decrypt(to, m)
}

// copies are n sessions in the state of s.
func (t their) copies(s olm.Session, n int) ([]olm.Session, error) {
	pickled, err := s.Pickle(pickleKey)
	if err != nil {
		return nil, err
	}
	out := make([]olm.Session, n)
	for i := range out {
		// libolm decrypts in place.
		if out[i], err = t.restoreSession(bytes.Clone(pickled)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// encryptHeld: one session encrypts again and again.
func (t their) encryptHeld(int) (func(int) error, error) {
	p, err := t.pair()
	return func(int) (err error) {
		_, _, err = p.alice.Encrypt(text)
		return err
	}, err
}

// decryptHeld: one session decrypts one message after the other.
func (t their) decryptHeld(n int) (func(int) error, error) {
	p, err := t.pair()
	if err != nil {
		return nil, err
	}
	messages := make([]message, n)
	for i := range messages {
		if messages[i], err = encrypt(p.alice); err != nil {
			return nil, err
		}
	}
	return func(i int) error { return decrypt(p.bob, messages[i]) }, nil
}

// decryptTurn: each copy decrypts the first message of a new chain.
func (t their) decryptTurn(n int) (func(int) error, error) {
	p, err := t.pair()
	if err != nil {
		return nil, err
	}
	if err := p.pass(p.bob, p.alice); err != nil {
		return nil, err
	}
	m, err := encrypt(p.alice)
	if err != nil {
		return nil, err
	}
	bobs, err := t.copies(p.bob, n)
	return func(i int) error { return decrypt(bobs[i], m) }, err
}

// decryptSkip: each copy decrypts a message with 39 missing before it.
func (t their) decryptSkip(n int) (func(int) error, error) {
	p, err := t.pair()
	if err != nil {
		return nil, err
	}
	for range skipAtOnce {
		if _, err := encrypt(p.alice); err != nil {
			return nil, err
		}
	}
	m, err := encrypt(p.alice)
	if err != nil {
		return nil, err
	}
	bobs, err := t.copies(p.bob, n)
	return func(i int) error { return decrypt(bobs[i], m) }, err
}

// openInbound: one account, which keeps its one-time key, opens a session
// again and again. Removing the key would come on top.
func (t their) openInbound(int) (func(int) error, error) {
	bob, oneTime, err := t.device()
	if err != nil {
		return nil, err
	}
	alice, _, err := t.device()
	if err != nil {
		return nil, err
	}
	_, from, err := alice.IdentityKeys()
	if err != nil {
		return nil, err
	}
	s, err := outbound(alice, bob, oneTime)
	if err != nil {
		return nil, err
	}
	m, err := encrypt(s)
	return func(int) error {
		s, err := bob.NewInboundSessionFrom(&from, m.body)
		if err != nil {
			return err
		}
		return decrypt(s, m)
	}, err
}

func (t their) openOutbound(int) (func(int) error, error) {
	bob, oneTime, err := t.device()
	if err != nil {
		return nil, err
	}
	alice, _, err := t.device()
	if err != nil {
		return nil, err
	}
	_, identity, err := bob.IdentityKeys()
	return func(int) error {
		s, err := alice.NewOutboundSession(identity, oneTime)
		if err != nil {
			return err
		}
		_, _, err = s.Encrypt(text)
		return err
	}, err
}

// makeKeys: each copy of a new account makes 50.
func (t their) makeKeys(n int) (func(int) error, error) {
	a, err := t.newAccount()
	if err != nil {
		return nil, err
	}
	pickled, err := a.Pickle(pickleKey)
	if err != nil {
		return nil, err
	}
	copies := make([]olm.Account, n)
	for i := range copies {
		if copies[i], err = t.restoreAccount(bytes.Clone(pickled)); err != nil {
			return nil, err
		}
	}
	return func(i int) error { return copies[i].GenOneTimeKeys(keysAtOnce) }, nil
}

// storeLoad: pickle, which encrypts, and unpickle.
func (t their) storeLoad(int) (func(int) error, error) {
	p, err := t.pair()
	return func(int) error {
		pickled, err := p.bob.Pickle(pickleKey)
		if err != nil {
			return err
		}
		_, err = t.restoreSession(pickled)
		return err
	}, err
}
