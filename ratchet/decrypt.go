package ratchet

import (
	"slices"

	"github.com/pawlkv/pawl/internal/secret"
)

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
	text, err := open(&key, m)
	if err != nil {
		return Session{}, Plaintext{}, err
	}
	next.received = true
	return wrap(next), Plaintext{Bytes: text, Key: MessageKey{key: secret.Hide(key)}}, nil
}

// receive derives the key of a message and the state that follows if it
// proves to be genuine.
func (s *state) receive(ratchetKey *PublicKey, index uint32) (key [32]byte, next state, err error) {
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

func (s *state) receiveKnown(at int, index uint32) (key [32]byte, next state, err error) {
	key, chain, err := s.receivers[at].take(index)
	if err != nil {
		return key, next, err
	}
	next = *s
	next.receivers = slices.Clone(s.receivers)
	next.receivers[at] = chain
	return key, next, nil
}

// receiveNew turns the ratchet: the peer has seen our ratchet key and answers
// with a new one. Our sending chain ends with that.
func (s *state) receiveNew(ratchetKey *PublicKey, index uint32) (key [32]byte, next state, err error) {
	if !s.sender.active() {
		return key, next, ErrUnknownChain
	}
	root, chainKey, err := s.root.turn(&s.sender.ratchet.private, ratchetKey)
	if err != nil {
		return key, next, err
	}
	first := receiverChain{ratchet: *ratchetKey, chain: remoteChainKey{key: chainKey}}
	key, first, err = first.take(index)
	if err != nil {
		return key, next, err
	}
	next = *s
	next.root = root
	next.sender = senderChain{}
	next.receivers = prepend(first, s.receivers)
	return key, next, nil
}

// prepend returns the chains with a new one in front and the oldest dropped.
func prepend(first receiverChain, rest []receiverChain) []receiverChain {
	out := make([]receiverChain, 0, MaxReceiverChains)
	out = append(out, first)
	return append(out, rest[:min(len(rest), MaxReceiverChains-1)]...)
}
