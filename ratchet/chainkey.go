package ratchet

// A chain is a key and the index of the message it is for. chainKey is the one
// we send with and remoteChainKey one we receive with. They are two types so
// that the compiler refuses to send with a key that the peer also uses.
type (
	chainKey       chain
	remoteChainKey chain
)

type chain struct {
	key   [32]byte
	index uint32
}

// Inputs of the HMAC that derive from a chain key C_i,j the message key M_i,j
// and the next chain key C_i,j+1.
var (
	messageSeed = []byte{0x01}
	chainSeed   = []byte{0x02}
)

// step returns the message key at c and the chain after it. It is never called
// at maxIndex, where the index would wrap: its callers refuse that.
func (c *chain) step() (key [32]byte, next chain) {
	k := newHMACKey(c.key[:])
	return k.mac(messageSeed), chain{key: k.mac(chainSeed), index: c.index + 1}
}

// skip returns the chain after c without making the message key.
func (c *chain) skip() chain {
	return chain{key: hmacOnce(c.key[:], chainSeed), index: c.index + 1}
}

// step returns the key of the next message to send and the chain after it, or
// [ErrExhausted].
func (c chainKey) step() (key [32]byte, next chainKey, err error) {
	if c.index == maxIndex {
		return key, c, ErrExhausted
	}
	key, after := (*chain)(&c).step()
	return key, chainKey(after), nil
}

// step returns the key of the message at the chain's index and the chain after it.
func (c remoteChainKey) step() (key [32]byte, next remoteChainKey) {
	key, after := (*chain)(&c).step()
	return key, remoteChainKey(after)
}

// skip returns the chain after the message at its index, whose key is not made.
func (c remoteChainKey) skip() remoteChainKey {
	return remoteChainKey((*chain)(&c).skip())
}
