package ratchet

import "crypto/sha256"

// SessionID names a session on both sides: SHA-256 of the initiator's identity
// key, its base key, and the one-time or fallback key of the other side.
type SessionID [32]byte

// String returns the id in unpadded base64, 43 characters.
func (id SessionID) String() string { return encode32((*[32]byte)(&id)) }

// ParseSessionID reads what String writes and nothing else, else [ErrMalformed].
func ParseSessionID(s string) (SessionID, error) {
	b, err := decode32(s, "session id")
	return SessionID(b), err
}

func sessionID(identity, base, oneTime PublicKey) SessionID {
	var keys [3 * keySize]byte
	copy(keys[:], identity[:])
	copy(keys[keySize:], base[:])
	copy(keys[2*keySize:], oneTime[:])
	return sha256.Sum256(keys[:])
}
