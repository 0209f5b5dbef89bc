//go:build libolm

package main

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
)

// handshakes is how many handshakes are made.
const handshakes = 8

func makeHandshakes() (File, error) {
	vectors := make([]Handshake, handshakes)
	for i := range vectors {
		v, err := makeHandshake(i)
		if err != nil {
			return File{}, err
		}
		vectors[i] = v
	}
	return File{
		Kind:        "olm-handshake",
		Description: "Triple Diffie-Hellman: private keys in; shared secret, root key, chain key, session id and the first pre-key message out.",
		Expect:      verdictNames(interop.Accepted),
		Vectors:     vectors,
	}, nil
}

func makeHandshake(i int) (Handshake, error) {
	d, err := newDialogue()
	if err != nil {
		return Handshake{}, err
	}
	state, err := d.session["alice"].State()
	if err != nil {
		return Handshake{}, err
	}
	base, err := ecdh.X25519().NewPrivateKey(d.openRandom[:32])
	if err != nil {
		return Handshake{}, err
	}
	v := Handshake{
		Name:          fmt.Sprintf("handshake %d", i),
		AliceIdentity: keyOf(d.alice.IdentityPrivate, d.alice.IdentityPublic),
		AliceBase:     keyOf([32]byte(d.openRandom[:32]), [32]byte(base.PublicKey().Bytes())),
		AliceRatchet:  keyOf(state.Sender.Private, state.Sender.Public),
		BobIdentity:   keyOf(d.bob.IdentityPrivate, d.bob.IdentityPublic),
		BobOneTime:    keyOf(d.bob.OneTimeKeys[0].Private, d.bob.OneTimeKeys[0].Public),
		RootKey:       state.RootKey[:],
		ChainKey:      state.Sender.ChainKey[:],
		SessionID:     d.session["alice"].ID(),
		Plaintext:     fmt.Appendf(nil, "first message of handshake %d", i),
	}
	if v.Secret, err = sharedSecret(d, base); err != nil {
		return Handshake{}, err
	}
	if err := v.verify(state); err != nil {
		return Handshake{}, err
	}
	m, err := d.session["alice"].Encrypt(v.Plaintext)
	v.Body = m.Body
	return v, err
}

// sharedSecret is computed here, not by libolm, which does not show it;
// verify ties it to libolm's root key.
func sharedSecret(d *dialogue, base *ecdh.PrivateKey) (Hex, error) {
	identity, err := ecdh.X25519().NewPrivateKey(d.alice.IdentityPrivate[:])
	if err != nil {
		return nil, err
	}
	peer, err := ecdh.X25519().NewPublicKey(d.bob.IdentityPublic[:])
	if err != nil {
		return nil, err
	}
	oneTime, err := ecdh.X25519().NewPublicKey(d.bob.OneTimeKeys[0].Public[:])
	if err != nil {
		return nil, err
	}
	var secret Hex
	for _, pair := range []struct {
		private *ecdh.PrivateKey
		public  *ecdh.PublicKey
	}{{identity, oneTime}, {base, peer}, {base, oneTime}} {
		s, err := pair.private.ECDH(pair.public)
		if err != nil {
			return nil, err
		}
		secret = append(secret, s...)
	}
	return secret, nil
}

var errSecret = errors.New("the shared secret does not give libolm's root and chain keys")

func (v Handshake) verify(state pickle.Session) error {
	b, err := hkdf.Key(sha256.New, v.Secret, nil, "OLM_ROOT", 64)
	if err != nil {
		return err
	}
	if [32]byte(b[:32]) != state.RootKey || [32]byte(b[32:]) != state.Sender.ChainKey {
		return errSecret
	}
	return nil
}
