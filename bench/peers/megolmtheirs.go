package main

import (
	"bytes"

	"maunium.net/go/mautrix/crypto/olm"
)

// megolmEncrypt: one session encrypts again and again.
func (t their) megolmEncrypt(int) (func(int) error, error) {
	s, err := t.newSender()
	return func(int) error {
		_, err := s.Encrypt(text)
		return err
	}, err
}

// megolmDecrypt: each reader reads the messages of a session in order, and moves
// its ratchet on.
func (t their) megolmDecrypt(n int) (func(int) error, error) {
	s, err := t.newSender()
	if err != nil {
		return nil, err
	}
	readers, err := t.readers(s, n/megolmMessages+1)
	if err != nil {
		return nil, err
	}
	bodies := make([][]byte, megolmMessages)
	for i := range bodies {
		if bodies[i], err = s.Encrypt(text); err != nil {
			return nil, err
		}
	}
	return func(i int) error {
		// libolm decrypts in place.
		_, _, err := readers[i/megolmMessages].Decrypt(bytes.Clone(bodies[i%megolmMessages]))
		return err
	}, nil
}

// megolmAdvance: each reader gives the key away at a later index.
func (t their) megolmAdvance(n int) (func(int) error, error) {
	s, err := t.newSender()
	if err != nil {
		return nil, err
	}
	readers, err := t.readers(s, n)
	return func(i int) error {
		_, err := readers[i].Export(megolmAhead)
		return err
	}, err
}

// readers are n of a session from its first message on.
func (t their) readers(s olm.OutboundGroupSession, n int) ([]olm.InboundGroupSession, error) {
	readers := make([]olm.InboundGroupSession, n)
	for i := range readers {
		var err error
		if readers[i], err = t.newReader([]byte(s.Key())); err != nil {
			return nil, err
		}
	}
	return readers, nil
}
