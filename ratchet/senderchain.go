package ratchet

// senderChain is the chain we send with: our ratchet key pair, whose public
// part goes into every message, and the chain key. The zero senderChain is
// none: the direction turned and we have not sent since.
type senderChain struct {
	ratchet *senderKey // shared between states and never written
	chain   chainKey
}

// senderKey is a ratchet key pair of ours within a state.
type senderKey struct {
	public  PublicKey
	private [32]byte
}

func newSenderChain(ratchet KeyPair, key [32]byte) senderChain {
	return senderChain{
		ratchet: &senderKey{public: ratchet.Public(), private: ratchet.Private()},
		chain:   chainKey{key: key},
	}
}

// active reports whether there is a chain to send with.
func (c *senderChain) active() bool { return c.ratchet != nil }
