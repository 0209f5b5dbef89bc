package ratchet

import "github.com/pawlkv/pawl/internal/secret"

// MessageKey is the key of one message, M_i,j. A receipt that keeps it can
// answer the same message again, which the session itself no longer can. It
// opens no other message.
type MessageKey struct {
	secret.Guard
	key secret.Key
}

// RestoreMessageKey returns the key kept in a record.
func RestoreMessageKey(key [32]byte) MessageKey {
	return MessageKey{key: secret.Hide(key)}
}

// Bytes returns the key for a record, 32 bytes; zeros for the zero MessageKey.
func (k MessageKey) Bytes() [32]byte { return k.key.Reveal() }

// IsZero reports whether k holds no key.
func (k MessageKey) IsZero() bool { return k.key.IsZero() }

// Open verifies m and returns its plaintext. It fails with [ErrMAC] when the
// key is not that of m, or is the zero MessageKey.
func (k MessageKey) Open(m NormalMessage) ([]byte, error) {
	if k.key.IsZero() {
		return nil, ErrMAC
	}
	return open(k.key.Peek(), m)
}
