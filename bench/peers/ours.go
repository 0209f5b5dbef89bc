package main

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn/seal"
)

// Messages are in base64 on our side too, since theirs are.
var wire = base64.RawStdEncoding.Strict()

// now is a time; nothing here depends on which.
var now = time.Unix(1_800_000_000, 0)

func ours() contestant {
	also := "from an encoded record to an encoded record, but for \"state in hand\""
	return contestant{name: "pawl", also: also, does: map[operation]prepare{
		encryptHeld:  ourEncryptHeld,
		decryptHeld:  ourDecryptHeld,
		decryptTurn:  ourDecryptTurn,
		openInbound:  ourOpenInbound,
		openOutbound: ourOpenOutbound,
		openClaims:   ourOpenClaims,
		makeKeys:     ourMakeKeys,
		storeLoad:    ourStoreLoad,
		decryptSkip:  ourDecryptSkip,

		megolmEncrypt: ourMegolmEncrypt,
		megolmDecrypt: ourMegolmDecrypt,
		megolmAdvance: ourMegolmAdvance,
	}}
}

// ourDevice is an account record and the record of one of its one-time keys.
type ourDevice struct {
	account   account.Account
	record    []byte
	key       otk.Key
	keyRecord []byte
}

func newDevice(user matrix.UserID) (d ourDevice, err error) {
	if d.account, err = account.New(rand.Reader, user, "DEVICE", now); err != nil {
		return d, err
	}
	if d.record, err = d.account.Encode(); err != nil {
		return d, err
	}
	_, keys, err := otk.Pool{}.Generate(rand.Reader, 1, now)
	if err != nil {
		return d, err
	}
	d.key = keys[0]
	d.keyRecord, err = d.key.Encode()
	return d, err
}

// ourPair is what theirPair is.
type ourPair struct{ alice, bob session.Session }

func newOurPair() (*ourPair, error) {
	alice, err := newDevice("@alice:example.org")
	if err != nil {
		return nil, err
	}
	bob, err := newDevice("@bob:example.org")
	if err != nil {
		return nil, err
	}
	p := &ourPair{}
	if p.alice, err = alice.account.OpenOutbound(rand.Reader, bob.account.Identity(), bob.key.Public(), session.Moment{Time: now}); err != nil {
		return nil, err
	}
	body, err := encryptNext(&p.alice)
	if err != nil {
		return nil, err
	}
	m, err := ratchet.ParsePreKeyMessage(decodeBody(body))
	if err != nil {
		return nil, err
	}
	in, err := bob.account.OpenInbound(bob.key, alice.account.Identity(), m, session.Moment{Time: now})
	if err != nil {
		return nil, err
	}
	p.bob = in.Session
	return p, errors.Join(pass(&p.bob, &p.alice), pass(&p.alice, &p.bob))
}

// encryptNext moves a session on by one message.
func encryptNext(s *session.Session) (body string, err error) {
	r, err := s.Ratchet()
	if err != nil {
		return "", err
	}
	next, m, err := r.Encrypt(rand.Reader, text)
	if err != nil {
		return "", err
	}
	*s = s.Sent(next, now)
	return wire.EncodeToString(m.Body), nil
}

// decryptNext moves a session on by one normal message.
func decryptNext(s *session.Session, body string) error {
	r, err := s.Ratchet()
	if err != nil {
		return err
	}
	next, err := decryptBody(r, body)
	if err != nil {
		return err
	}
	*s = s.Received(next, session.Moment{Time: now})
	return nil
}

func decryptBody(s ratchet.Session, body string) (ratchet.Session, error) {
	b, err := wire.DecodeString(body)
	if err != nil {
		return ratchet.Session{}, err
	}
	m, err := ratchet.ParseNormalMessage(b)
	if err != nil {
		return ratchet.Session{}, err
	}
	next, _, err := s.Decrypt(m)
	return next, err
}

func pass(from, to *session.Session) error {
	body, err := encryptNext(from)
	if err != nil {
		return err
	}
	return decryptNext(to, body)
}

// decodeBody is for preparing, where the body is our own.
func decodeBody(body string) []byte {
	b, err := wire.DecodeString(body)
	if err != nil {
		panic(err) // it was encoded a moment ago
	}
	return b
}

// ourEncryptHeld and ourDecryptHeld have the ratchet's state in hand, like
// theirs without the times that a session record keeps.
func ourEncryptHeld(int) (func(int) error, error) {
	p, err := newOurPair()
	if err != nil {
		return nil, err
	}
	s, err := p.alice.Ratchet()
	// A message is bytes, and whoever sends it writes its base64 into the body of
	// a request.
	var request []byte
	return func(int) error {
		next, m, err := s.Encrypt(rand.Reader, text)
		if err != nil {
			return err
		}
		s, request = next, wire.AppendEncode(request[:0], m.Body)
		return nil
	}, err
}

func ourDecryptHeld(n int) (func(int) error, error) {
	p, err := newOurPair()
	if err != nil {
		return nil, err
	}
	bodies := make([]string, n)
	for i := range bodies {
		if bodies[i], err = encryptNext(&p.alice); err != nil {
			return nil, err
		}
	}
	s, err := p.bob.Ratchet()
	return func(i int) error {
		next, err := decryptBody(s, bodies[i])
		s = next
		return err
	}, err
}

// fromRecord decrypts from a session record to a session record.
func fromRecord(record []byte, body string) error {
	s, err := session.DecodeSession(record)
	if err != nil {
		return err
	}
	if err := decryptNext(&s, body); err != nil {
		return err
	}
	_, err = s.Encode()
	return err
}

func ourDecryptTurn(int) (func(int) error, error) {
	p, err := newOurPair()
	if err != nil {
		return nil, err
	}
	if err := pass(&p.bob, &p.alice); err != nil {
		return nil, err
	}
	body, err := encryptNext(&p.alice)
	if err != nil {
		return nil, err
	}
	record, err := p.bob.Encode()
	return func(int) error { return fromRecord(record, body) }, err
}

func ourDecryptSkip(int) (func(int) error, error) {
	p, err := newOurPair()
	if err != nil {
		return nil, err
	}
	for range skipAtOnce {
		if _, err := encryptNext(&p.alice); err != nil {
			return nil, err
		}
	}
	body, err := encryptNext(&p.alice)
	if err != nil {
		return nil, err
	}
	record, err := p.bob.Encode()
	return func(int) error { return fromRecord(record, body) }, err
}

// ourOpenInbound reads the account and the one-time key, and writes the
// session and the key's tombstone.
func ourOpenInbound(int) (func(int) error, error) {
	alice, err := newDevice("@alice:example.org")
	if err != nil {
		return nil, err
	}
	bob, err := newDevice("@bob:example.org")
	if err != nil {
		return nil, err
	}
	s, err := alice.account.OpenOutbound(rand.Reader, bob.account.Identity(), bob.key.Public(), session.Moment{Time: now})
	if err != nil {
		return nil, err
	}
	body, err := encryptNext(&s)
	return func(int) error { return bob.openInbound(alice.account.Identity(), body) }, err
}

func (d ourDevice) openInbound(from ratchet.PublicKey, body string) error {
	b, err := wire.DecodeString(body)
	if err != nil {
		return err
	}
	m, err := ratchet.ParsePreKeyMessage(b)
	if err != nil {
		return err
	}
	a, err := account.Decode(d.record)
	if err != nil {
		return err
	}
	key, err := otk.DecodeKey(d.keyRecord)
	if err != nil {
		return err
	}
	in, err := a.OpenInbound(key, from, m, session.Moment{Time: now})
	if err != nil {
		return err
	}
	_, err = in.Session.Encode()
	_, keyErr := in.Key.Encode()
	return errors.Join(err, keyErr)
}

// ourOpenOutbound reads the account and writes the session.
func ourOpenOutbound(int) (func(int) error, error) {
	alice, err := newDevice("@alice:example.org")
	if err != nil {
		return nil, err
	}
	bob, err := newDevice("@bob:example.org")
	return func(int) error {
		a, err := account.Decode(alice.record)
		if err != nil {
			return err
		}
		s, err := a.OpenOutbound(rand.Reader, bob.account.Identity(), bob.key.Public(), session.Moment{Time: now})
		if err != nil {
			return err
		}
		if _, err := encryptNext(&s); err != nil {
			return err
		}
		_, err = s.Encode()
		return err
	}, err
}

// ourMakeKeys reads the pool, and writes it and a record for each key.
func ourMakeKeys(int) (func(int) error, error) {
	empty, err := otk.Pool{}.Encode()
	return func(int) error {
		pool, err := otk.DecodePool(empty)
		if err != nil {
			return err
		}
		pool, keys, err := pool.Generate(rand.Reader, keysAtOnce, now)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if _, err := key.Encode(); err != nil {
				return err
			}
		}
		_, err = pool.Encode()
		return err
	}, err
}

// ourStoreLoad is a session to its sealed value and back.
func ourStoreLoad(int) (func(int) error, error) {
	const path = "@bob:example.org/session/peer/id"
	p, err := newOurPair()
	if err != nil {
		return nil, err
	}
	keyring, _, err := seal.Create(rand.Reader, seal.RawKey([32]byte{1}))
	return func(int) error {
		record, err := p.bob.Encode()
		if err != nil {
			return err
		}
		record, err = keyring.Open(nil, path, keyring.Seal(nil, path, record))
		if err != nil {
			return err
		}
		_, err = session.DecodeSession(record)
		return err
	}, err
}
