package ratchet

// Bounds on what a session keeps and accepts. Only MaxGap is a rule of
// security; the others are retention limits, kept equal to other
// implementations so that no peer meets a session more forgetful than theirs.
const (
	// MaxReceiverChains is how many receiving chains a session keeps. The
	// oldest is dropped, with its skipped keys, when a sixth begins.
	MaxReceiverChains = 5

	// MaxSkippedKeys is how many keys of messages not yet seen are kept for
	// each receiving chain. The oldest are dropped.
	MaxSkippedKeys = 40

	// MaxGap is how far ahead of a chain a message may be. Each index costs a
	// hash before the message can be verified, so an unbounded gap would let
	// anybody burn the receiver's time.
	MaxGap = 2000
)

// Sizes fixed by the protocol, in bytes.
const (
	keySize = 32 // Curve25519 keys, chain keys, root keys, message keys
	macSize = 8  // truncated HMAC-SHA-256 at the end of a message, version 3
)

// maxIndex is the last message index that the wire can carry. A chain that has
// reached it is exhausted: one more step would wrap to 0 and use keys again.
const maxIndex = 1<<32 - 1
