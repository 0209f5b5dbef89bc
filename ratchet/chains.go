package ratchet

import (
	"slices"

	"github.com/pawlkv/pawl/internal/message"
)

// rootKey is R_i: it becomes the next root key and a fresh chain each time the
// conversation changes direction.
type rootKey [32]byte

// A chain is a key and the index of the message it is for. chainKey is the one
// we send with and remoteChainKey one we receive with. They are two types so
// that the compiler refuses to send with a key that the peer also uses, and so
// are the keys of messages that they yield.
type (
	chainKey       chain
	remoteChainKey chain

	messageKey       [32]byte
	remoteMessageKey [32]byte
)

// chain is either of them, before anybody has said which.
type chain struct {
	key   [32]byte // only ever the key of an HMAC
	index uint32
}

// Inputs of the HMAC that derive from a chain key C_i,j the message key M_i,j
// and the next chain key C_i,j+1.
var (
	messageSeed = []byte{0x01}
	chainSeed   = []byte{0x02}
)

// advance is one step of the root ratchet: our ratchet key against the peer's.
// It fails with [ErrZeroSecret].
func (r *rootKey) advance(ours *PrivateKey, peer *PublicKey) (next rootKey, first chain, err error) {
	shared, err := ours.agree(peer)
	if err != nil {
		return rootKey{}, chain{}, err
	}
	next, first = deriveRoot(r[:], shared[:], "OLM_RATCHET")
	return next, first, nil
}

// deriveRoot derives 64 bytes: a root key and the key of the chain under it.
func deriveRoot(salt, ikm []byte, info string) (root rootKey, first chain) {
	var out [2 * keySize]byte
	message.HKDF(out[:], salt, ikm, info)
	copy(root[:], out[:])
	copy(first.key[:], out[keySize:])
	return root, first
}

// step returns the message key at c and the chain after it. It is never called
// at maxIndex, where the index would wrap: its callers refuse that.
func (c *chain) step() (key messageKey, next chain) {
	k := message.NewHMACKey(c.key[:])
	return k.MAC(messageSeed), chain{key: k.MAC(chainSeed), index: c.index + 1}
}

// step returns the key of the next message to send and the chain after it, or
// [ErrExhausted].
func (c chainKey) step() (key messageKey, next chainKey, err error) {
	if c.index == maxIndex {
		return key, c, ErrExhausted
	}
	key, after := (*chain)(&c).step()
	return key, chainKey(after), nil
}

// step returns the key of the message at the chain's index and the chain after it.
func (c remoteChainKey) step() (key remoteMessageKey, next remoteChainKey) {
	k, after := (*chain)(&c).step()
	return remoteMessageKey(k), remoteChainKey(after)
}

// skip returns the chain after the message at its index, whose key is not made.
func (c remoteChainKey) skip() remoteChainKey {
	return remoteChainKey{key: message.HMAC(c.key[:], chainSeed), index: c.index + 1}
}

// senderChain is the chain we send with: our ratchet key pair, whose public
// part goes into every message, and the chain key. The zero senderChain is
// none: the direction changed and we have not sent since.
type senderChain struct {
	ratchet *senderKey // shared between states and never written
	chain   chainKey
}

// senderKey is a ratchet key pair of ours within a state.
type senderKey struct {
	public  PublicKey
	private PrivateKey
}

func newSenderChain(ratchet KeyPair, first chain) senderChain {
	return senderChain{
		ratchet: &senderKey{public: ratchet.Public(), private: ratchet.Private()},
		chain:   chainKey(first),
	}
}

// active reports whether there is a chain to send with.
func (c *senderChain) active() bool { return c.ratchet != nil }

// receiverChain is a chain the peer sends with: its ratchet key, the chain key
// for the next message expected and the keys of messages that were skipped.
//
// Chains are shared between states and never written: every change makes a new
// one, and the skipped keys of chains that do not change are not copied.
type receiverChain struct {
	ratchet PublicKey
	chain   remoteChainKey
	skipped []skippedKey // ascending by index, so the oldest is the first
}

// skippedKey is the key of one message that has not come yet.
type skippedKey struct {
	index uint32
	key   remoteMessageKey
}

func newReceiverChain(ratchet PublicKey, first chain) receiverChain {
	return receiverChain{ratchet: ratchet, chain: remoteChainKey(first)}
}

// take returns the key of the message at index and the chain without it. It
// fails with [ErrKeyGone], [GapError] or [ErrExhausted].
func (c *receiverChain) take(index uint32) (key remoteMessageKey, next receiverChain, err error) {
	switch {
	case index < c.chain.index:
		return c.takeSkipped(index)
	case index-c.chain.index > MaxGap:
		return key, next, &GapError{Chain: c.chain.index, Message: index}
	case index == maxIndex:
		return key, next, ErrExhausted
	}
	key, next = c.advance(index)
	return key, next, nil
}

// steps returns how many steps take makes.
func (c *receiverChain) steps(index uint32) int {
	if index < c.chain.index || index-c.chain.index > MaxGap || index == maxIndex {
		return 0
	}
	return int(index - c.chain.index)
}

func (c *receiverChain) takeSkipped(index uint32) (key remoteMessageKey, next receiverChain, err error) {
	for i := range c.skipped {
		if c.skipped[i].index == index {
			next = *c
			next.skipped = slices.Concat(c.skipped[:i], c.skipped[i+1:])
			return c.skipped[i].key, next, nil
		}
	}
	return key, next, ErrKeyGone
}

// advance moves the chain past index and keeps the keys it skips, as far as
// they are among the last MaxSkippedKeys.
func (c *receiverChain) advance(index uint32) (key remoteMessageKey, next receiverChain) {
	next = *c
	kept := min(index-c.chain.index, MaxSkippedKeys)
	// Keys that would be dropped at once are not even made.
	for next.chain.index < index-kept {
		next.chain = next.chain.skip()
	}
	if kept > 0 {
		next.skipped = c.makeRoom(int(kept))
	}
	for next.chain.index < index {
		s := skippedKey{index: next.chain.index}
		s.key, next.chain = next.chain.step()
		next.skipped = append(next.skipped, s)
	}
	key, next.chain = next.chain.step()
	return key, next
}

// makeRoom returns a copy of the skipped keys with room for n more and without
// the oldest that would be too many.
func (c *receiverChain) makeRoom(n int) []skippedKey {
	old := c.skipped[max(0, len(c.skipped)+n-MaxSkippedKeys):]
	return append(make([]skippedKey, 0, len(old)+n), old...)
}
