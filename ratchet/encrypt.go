package ratchet

import "io"

// Encrypt returns the message for plaintext and the session after it. The
// message is of type [PreKey] while nothing was ever received.
//
// When the direction turns, it reads 32 bytes from rand for a new ratchet key,
// otherwise nothing. It fails with [ErrExhausted], with [ErrZeroSecret] when
// the peer's ratchet key is of low order, with [ErrNoSession], or with rand's
// error.
//
// The session it was called on still holds the key of this message. Store the
// next one before the message leaves, or the key will be used twice.
func (s Session) Encrypt(rand io.Reader, plaintext []byte) (Session, Message, error) {
	st := s.state.Peek()
	if st == nil {
		return Session{}, Message{}, ErrNoSession
	}
	next := *st
	if !next.sender.active() {
		if err := next.beginSending(rand); err != nil {
			return Session{}, Message{}, err
		}
	}
	index := next.sender.chain.index
	key, chain, err := next.sender.chain.step()
	if err != nil {
		return Session{}, Message{}, err
	}
	next.sender.chain = chain
	return wrap(next), next.seal(&key, index, plaintext), nil
}

// beginSending turns the ratchet with a fresh key of ours against the peer's newest.
func (s *state) beginSending(rand io.Reader) error {
	if len(s.receivers) == 0 {
		return ErrNoSession
	}
	ratchet, err := GenerateKeyPair(rand)
	if err != nil {
		return err
	}
	root, chain, err := s.root.turn(ratchet.private.Peek(), &s.receivers[0].ratchet)
	if err != nil {
		return err
	}
	s.root = root
	s.sender = newSenderChain(ratchet, chain)
	return nil
}

// seal encrypts into one buffer of exactly the size of the message.
func (s *state) seal(key *[32]byte, index uint32, plaintext []byte) Message {
	size := paddedSize(len(plaintext))
	normal := normalSize(index, size)
	if s.received {
		return Message{Normal, s.appendNormal(make([]byte, 0, normal), key, index, plaintext)}
	}
	b := make([]byte, 0, preKeySize(normal))
	b = appendPreKeyHeader(b, s.keys, normal)
	return Message{PreKey, s.appendNormal(b, key, index, plaintext)}
}

func (s *state) appendNormal(b []byte, key *[32]byte, index uint32, plaintext []byte) []byte {
	c := newMessageCipher(key)
	begin := len(b)
	b = appendNormalHeader(b, &s.sender.ratchet.public, index, paddedSize(len(plaintext)))
	text := len(b)
	b = append(b, plaintext...)
	b = appendPadding(b, len(plaintext))
	c.encrypt(b[text:])
	mac := c.mac(b[begin:])
	return append(b, mac[:]...)
}
