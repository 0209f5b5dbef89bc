package ratchet

import "slices"

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
	key   [32]byte
}

// take returns the key of the message at index and the chain without it. It
// fails with [ErrKeyGone], [GapError] or [ErrExhausted].
func (c *receiverChain) take(index uint32) (key [32]byte, next receiverChain, err error) {
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

func (c *receiverChain) takeSkipped(index uint32) (key [32]byte, next receiverChain, err error) {
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
func (c *receiverChain) advance(index uint32) (key [32]byte, next receiverChain) {
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
