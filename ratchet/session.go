package ratchet

import (
	"io"

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
	keys      *sessionKeys
	initiated bool // we are the one whose keys are identity and base
	received  bool // a message was decrypted in this session
	root      rootKey
	sender    senderChain
	receivers []receiverChain // newest first
}

// sessionKeys are the public keys that opened a session and that its id is
// made of: I_A, E_A and E_B.
type sessionKeys struct {
	identity, base, oneTime PublicKey
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
	root, chain, err := initiatorHandshake(identity.private.Peek(), base.private.Peek(), &peer, &oneTimeKey).run()
	if err != nil {
		return Session{}, err
	}
	return wrap(state{
		keys:      &sessionKeys{identity.public, base.public, oneTimeKey},
		initiated: true,
		root:      root,
		sender:    newSenderChain(ratchet, chain),
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
	root, chain, err := responderHandshake(identity.private.Peek(), oneTimeKey.private.Peek(), &m.IdentityKey, &m.BaseKey).run()
	if err != nil {
		return Session{}, err
	}
	return wrap(state{
		keys:      &sessionKeys{m.IdentityKey, m.BaseKey, m.OneTimeKey},
		root:      root,
		receivers: []receiverChain{{ratchet: m.Normal.RatchetKey, chain: remoteChainKey{key: chain}}},
	}), nil
}
