// Package ratchet is Olm: the triple Diffie-Hellman handshake, the double
// ratchet and the bytes of both, as specified in the Matrix specification
// (m.olm.v1.curve25519-aes-sha2), message version 3.
//
// # Values
//
// A [Session] never changes. Encrypt and Decrypt return the next session and
// leave the one they were called on as it was, byte for byte, so that giving
// up a step is dropping a value and trying it again is calling it again:
//
//	next, message, err := session.Encrypt(rand, plaintext)
//	next, plaintext, err := session.Decrypt(message)
//
// Whoever keeps sessions must store next before the message or the plaintext
// leaves the process. Encrypting twice from one session uses one message key
// twice, and that is what the caller's transaction has to rule out.
//
// Nothing here reads a clock, a file or a random source of its own.
// All types are safe for concurrent use.
//
// # Opening a session
//
// Alice, who has Bob's identity key and one of his one-time keys, calls
// [NewOutbound] and encrypts: her messages are of type [PreKey] until she has
// decrypted an answer. Bob parses the first one ([ParsePreKeyMessage]), finds
// his one-time key named in it, calls [NewInbound] and decrypts the normal
// message within. Later pre-key messages with the same [SessionID] belong to
// the session he already has.
//
// # Secrets
//
// Types that hold keys print as redacted and refuse JSON. [Session],
// [KeyPair] and [MessageKey] give their secret bytes only to the methods that
// write records.
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

// keySize is the length of Curve25519 keys, chain keys, root keys and message
// keys, in bytes.
const keySize = 32

// maxIndex is the last message index that the wire can carry. A chain that has
// reached it is exhausted: one more step would wrap to 0 and use keys again.
const maxIndex = 1<<32 - 1
