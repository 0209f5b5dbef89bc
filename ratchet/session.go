package ratchet

import (
	"io"
	"slices"

	"github.com/pawlkv/pawl/internal/secret"
)

// Session is one state of an Olm session. It never changes: [Session.Encrypt]
// and [Session.Decrypt] return the state that follows. The zero Session is
// none, and its methods fail with [ErrNoSession] or report nothing.
type Session struct {
	secret.Guard
	state secret.Value[state]
}

// state is what a session keeps. States share everything behind a pointer or
// a slice, so making the next one copies little, and nothing is ever written
// through a state that a Session holds.
type state struct {
	keys      *PreKeys
	initiated bool // we are the one whose keys are identity and base
	received  bool // a message was decrypted in this session
	root      rootKey
	sender    senderChain
	receivers []receiverChain // newest first
}

func wrap(s state) Session { return Session{state: secret.Hide(s)} }

// NewOutbound opens a session to the owner of the identity key peer with one
// of its one-time or fallback keys. It reads 64 bytes from rand: the private
// base key, then the first private ratchet key.
//
// It fails with [ErrKeyPair] when identity is empty, with [ErrZeroSecret] when
// a key of the peer is of low order, or with rand's error.
func NewOutbound(rand io.Reader, identity KeyPair, peer, oneTimeKey PublicKey) (Session, error) {
	if identity.IsZero() {
		return Session{}, ErrKeyPair
	}
	base, err := GenerateKeyPair(rand)
	if err != nil {
		return Session{}, err
	}
	ratchet, err := GenerateKeyPair(rand)
	if err != nil {
		return Session{}, err
	}
	root, first, err := initiatorHandshake(identity.private.Peek(), base.private.Peek(), &peer, &oneTimeKey).run()
	if err != nil {
		return Session{}, err
	}
	return wrap(state{
		keys:      &PreKeys{Identity: identity.public, Base: base.public, OneTime: oneTimeKey},
		initiated: true,
		root:      root,
		sender:    newSenderChain(ratchet, first),
	}), nil
}

// NewInbound opens the session of a peer's pre-key message; oneTimeKey is the
// pair that m.OneTimeKey names. Nothing is proven yet: the session is real only
// when it has decrypted m.Normal, and the one-time key must be given up with
// that and not before.
//
// It fails with [ErrKeyPair] when a pair is empty or not the one named, or with
// [ErrZeroSecret].
func NewInbound(identity, oneTimeKey KeyPair, m PreKeyMessage) (Session, error) {
	if identity.IsZero() || oneTimeKey.IsZero() || oneTimeKey.public != m.OneTimeKey {
		return Session{}, ErrKeyPair
	}
	root, first, err := responderHandshake(identity.private.Peek(), oneTimeKey.private.Peek(), &m.IdentityKey, &m.BaseKey).run()
	if err != nil {
		return Session{}, err
	}
	keys := m.keys()
	return wrap(state{
		keys:      &keys,
		root:      root,
		receivers: []receiverChain{newReceiverChain(m.Normal.RatchetKey, first)},
	}), nil
}

// Encrypt returns the message for plaintext and the session after it. The
// message is of type [PreKey] while nothing was ever received.
//
// When the direction changes, it reads 32 bytes from rand for a new ratchet
// key, otherwise nothing. It fails with [ErrExhausted], with [ErrZeroSecret]
// when the peer's ratchet key is of low order, with [ErrNoSession], or with
// rand's error.
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
	return wrap(next), key.seal(&next, index, plaintext), nil
}

// beginSending advances the root with a fresh ratchet key of ours against the
// peer's newest.
func (s *state) beginSending(rand io.Reader) error {
	if len(s.receivers) == 0 {
		return ErrNoSession
	}
	ratchet, err := GenerateKeyPair(rand)
	if err != nil {
		return err
	}
	root, first, err := s.root.advance(ratchet.private.Peek(), &s.receivers[0].ratchet)
	if err != nil {
		return err
	}
	s.root = root
	s.sender = newSenderChain(ratchet, first)
	return nil
}

// Plaintext is a decrypted message. Bytes belongs to the caller.
type Plaintext struct {
	secret.Guard
	Bytes []byte
	// Key opens the same message again.
	Key MessageKey
}

// Decrypt returns the plaintext of m and the session after it. It fails with
//
//   - [ErrMAC]: not made with this session's keys, or changed on its way;
//   - [ErrKeyGone]: decrypted before, or too old;
//   - [ErrGap] (a [GapError]): more than [MaxGap] ahead of its chain;
//   - [ErrUnknownChain]: of a chain that the peer could not have begun;
//   - [ErrZeroSecret]: a ratchet key of low order;
//   - [ErrExhausted]: the chain's last index, which is never used;
//   - [ErrMalformed]: the zero NormalMessage;
//   - [ErrNoSession]: the zero Session.
//
// Only a verified message changes anything: after an error the session that
// it was called on is the current one.
func (s Session) Decrypt(m NormalMessage) (Session, Plaintext, error) {
	st := s.state.Peek()
	if st == nil {
		return Session{}, Plaintext{}, ErrNoSession
	}
	key, next, err := st.receive(&m.RatchetKey, m.Index)
	if err != nil {
		return Session{}, Plaintext{}, err
	}
	text, err := key.open(m)
	if err != nil {
		return Session{}, Plaintext{}, err
	}
	next.received = true
	return wrap(next), Plaintext{Bytes: text, Key: MessageKey{key: secret.Hide(key)}}, nil
}

// receive derives the key of a message and the state that follows if it
// proves to be genuine.
func (s *state) receive(ratchetKey *PublicKey, index uint32) (key remoteMessageKey, next state, err error) {
	if at := s.receiver(ratchetKey); at >= 0 {
		return s.receiveKnown(at, index)
	}
	return s.receiveNew(ratchetKey, index)
}

// receiver returns the position of the chain with this ratchet key, or -1.
func (s *state) receiver(ratchetKey *PublicKey) int {
	for i := range s.receivers {
		if s.receivers[i].ratchet == *ratchetKey {
			return i
		}
	}
	return -1
}

func (s *state) receiveKnown(at int, index uint32) (key remoteMessageKey, next state, err error) {
	key, chain, err := s.receivers[at].take(index)
	if err != nil {
		return key, next, err
	}
	next = *s
	next.receivers = slices.Clone(s.receivers)
	next.receivers[at] = chain
	return key, next, nil
}

// receiveNew advances the root: the peer has seen our ratchet key and answers
// with a new one. Our sending chain ends with that.
func (s *state) receiveNew(ratchetKey *PublicKey, index uint32) (key remoteMessageKey, next state, err error) {
	if !s.sender.active() {
		return key, next, ErrUnknownChain
	}
	root, first, err := s.root.advance(&s.sender.ratchet.private, ratchetKey)
	if err != nil {
		return key, next, err
	}
	newest := newReceiverChain(*ratchetKey, first)
	key, newest, err = newest.take(index)
	if err != nil {
		return key, next, err
	}
	next = *s
	next.root = root
	next.sender = senderChain{}
	next.receivers = prepend(newest, s.receivers)
	return key, next, nil
}

// prepend returns the chains with a new one in front and the oldest dropped.
func prepend(newest receiverChain, rest []receiverChain) []receiverChain {
	out := make([]receiverChain, 0, MaxReceiverChains)
	out = append(out, newest)
	return append(out, rest[:min(len(rest), MaxReceiverChains-1)]...)
}
