package ratchet

// handshake is what the triple Diffie-Hellman needs of one side: two private
// keys and the peer's two public ones, named by the secrets they yield.
type handshake struct {
	identityOneTime, baseIdentity, baseOneTime exchange
}

// exchange is one X25519.
type exchange struct {
	private *[32]byte
	peer    *PublicKey
}

// run computes the root key and the first chain key from
//
//	S = X25519(I_A, E_B) || X25519(E_A, I_B) || X25519(E_A, E_B)
//
// in this order on both sides. It fails with [ErrZeroSecret].
func (h handshake) run() (root rootKey, chain [32]byte, err error) {
	var s [3 * keySize]byte
	for i, e := range [...]exchange{h.identityOneTime, h.baseIdentity, h.baseOneTime} {
		secret, err := sharedSecret(e.private, e.peer)
		if err != nil {
			return rootKey{}, chain, err
		}
		copy(s[i*keySize:], secret[:])
	}
	root, chain = splitRoot(nil, s[:], "OLM_ROOT")
	return root, chain, nil
}

func initiatorHandshake(identity, base *[32]byte, peer, oneTime *PublicKey) handshake {
	return handshake{
		identityOneTime: exchange{identity, oneTime},
		baseIdentity:    exchange{base, peer},
		baseOneTime:     exchange{base, oneTime},
	}
}

func responderHandshake(identity, oneTime *[32]byte, peer, base *PublicKey) handshake {
	return handshake{
		identityOneTime: exchange{oneTime, peer},
		baseIdentity:    exchange{identity, base},
		baseOneTime:     exchange{oneTime, base},
	}
}
