package ratchet

import "crypto/sha256"

// PreKeys are the public keys that open a session, and of which its id is made.
type PreKeys struct {
	Identity PublicKey // I_A, the initiator's identity key
	Base     PublicKey // E_A, which the initiator made for this session
	OneTime  PublicKey // E_B, the other side's one-time or fallback key
}

// SessionID names a session on both sides: SHA-256 of its [PreKeys].
type SessionID [32]byte

// SessionID returns the id of the session that the keys open.
func (k PreKeys) SessionID() SessionID {
	var all [3 * keySize]byte
	copy(all[:], k.Identity[:])
	copy(all[keySize:], k.Base[:])
	copy(all[2*keySize:], k.OneTime[:])
	return sha256.Sum256(all[:])
}

// String returns the id in unpadded base64, 43 characters.
func (id SessionID) String() string { return encode32((*[32]byte)(&id)) }

// ParseSessionID reads what String writes and nothing else, else [ErrMalformed].
func ParseSessionID(s string) (SessionID, error) {
	b, err := decode32(s, "session id")
	if err == nil && encode32(&b) != s { // nobody else writes one
		return SessionID{}, malformed("session id is not canonical unpadded base64")
	}
	return SessionID(b), err
}

// handshake is what the triple Diffie-Hellman needs of one side: two private
// keys and the peer's two public ones, named by the secrets they yield.
type handshake struct {
	identityOneTime, baseIdentity, baseOneTime exchange
}

// exchange is one X25519.
type exchange struct {
	ours *PrivateKey
	peer *PublicKey
}

// run computes the root key and the first chain from
//
//	S = X25519(I_A, E_B) || X25519(E_A, I_B) || X25519(E_A, E_B)
//
// in this order on both sides. It fails with [ErrZeroSecret].
func (h handshake) run() (root rootKey, first chain, err error) {
	var s [3 * keySize]byte
	for i, e := range [...]exchange{h.identityOneTime, h.baseIdentity, h.baseOneTime} {
		shared, err := e.ours.agree(e.peer)
		if err != nil {
			return rootKey{}, chain{}, err
		}
		copy(s[i*keySize:], shared[:])
	}
	root, first = deriveRoot(nil, s[:], "OLM_ROOT")
	return root, first, nil
}

func initiatorHandshake(identity, base *PrivateKey, peer, oneTime *PublicKey) handshake {
	return handshake{
		identityOneTime: exchange{identity, oneTime},
		baseIdentity:    exchange{base, peer},
		baseOneTime:     exchange{base, oneTime},
	}
}

func responderHandshake(identity, oneTime *PrivateKey, peer, base *PublicKey) handshake {
	return handshake{
		identityOneTime: exchange{oneTime, peer},
		baseIdentity:    exchange{identity, base},
		baseOneTime:     exchange{oneTime, base},
	}
}
