package main

import (
	"crypto/rand"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/session"
)

// ourRoom is the record of a session to send in, and of one to read in.
type ourRoom struct{ out, in []byte }

func newOurRoom() (r ourRoom, err error) {
	s, err := group.NewSender(rand.Reader)
	if err != nil {
		return r, err
	}
	const room = "!of_forty_characters_in_all:example.org"
	settings := group.Settings{
		Messages: group.MaxMessages, Age: group.DefaultAge, Visibility: group.Shared, Strategy: group.CrossSigned,
	}
	out, err := group.NewOutbound(room, s, settings, session.Moment{Time: now, Order: 1}, 1)
	if err != nil {
		return r, err
	}
	in, err := group.NewInbound(room, group.NewCopy(s.Key(), group.Source{Provenance: group.Direct}))
	if err != nil {
		return r, err
	}
	if r.out, err = out.Encode(); err != nil {
		return r, err
	}
	r.in, err = in.Encode()
	return r, err
}

// encrypt moves the record to send in on by one message.
func (r *ourRoom) encrypt() (body string, err error) {
	o, err := group.DecodeOutbound(r.out)
	if err != nil {
		return "", err
	}
	next, message, err := o.Sender().Encrypt(text)
	if err != nil {
		return "", err
	}
	r.out, err = o.Sent(next, now).Encode()
	return wire.EncodeToString(message), err
}

func ourMegolmEncrypt(int) (func(int) error, error) {
	r, err := newOurRoom()
	return func(int) error {
		_, err := r.encrypt()
		return err
	}, err
}

// ourMegolmDecrypt reads the record for each message, which reading never writes: it
// holds the earliest ratchet. How far reading has come is held in memory, as theirs.
func ourMegolmDecrypt(int) (func(int) error, error) {
	r, err := newOurRoom()
	if err != nil {
		return nil, err
	}
	bodies := make([]string, megolmMessages)
	for i := range bodies {
		if bodies[i], err = r.encrypt(); err != nil {
			return nil, err
		}
	}
	var reached group.Reached
	return func(i int) error {
		in, err := group.DecodeInbound(r.in)
		if err != nil {
			return err
		}
		body, err := wire.DecodeString(bodies[i%megolmMessages])
		if err != nil {
			return err
		}
		m, err := group.ParseMessage(body)
		if err != nil {
			return err
		}
		_, reached, err = in.DecryptFrom(reached, m)
		return err
	}, nil
}

// ourMegolmAdvance gives the key away at a later index, in the export format.
func ourMegolmAdvance(int) (func(int) error, error) {
	r, err := newOurRoom()
	return func(int) error {
		in, err := group.DecodeInbound(r.in)
		if err != nil {
			return err
		}
		c, err := in.Earliest()
		if err != nil {
			return err
		}
		k, err := c.Key.Advance(megolmAhead)
		if err != nil {
			return err
		}
		b, err := k.Export(nil)
		_ = wire.EncodeToString(b)
		return err
	}, err
}
