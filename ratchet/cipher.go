package ratchet

import (
	"github.com/pawlkv/pawl/internal/message"
	"github.com/pawlkv/pawl/internal/secret"
)

// MessageKey is the key of one received message, M_i,j. A receipt that keeps it
// can answer the same message again, which the session itself no longer can.
// It opens no other message.
type MessageKey struct {
	secret.Guard
	key secret.Value[remoteMessageKey]
}

// RestoreMessageKey returns the key kept in a record, 32 bytes. It fails with
// [ErrMalformed] for another number of them.
func RestoreMessageKey(b []byte) (MessageKey, error) {
	if len(b) != keySize {
		return MessageKey{}, malformed("message key of %d bytes, want %d", len(b), keySize)
	}
	return MessageKey{key: secret.Hide(remoteMessageKey(b))}, nil
}

// Append appends the key's 32 bytes to b, for a record; nothing for the zero
// MessageKey.
func (k MessageKey) Append(b []byte) []byte {
	if key := k.key.Peek(); key != nil {
		b = append(b, key[:]...)
	}
	return b
}

// IsZero reports whether k holds no key.
func (k MessageKey) IsZero() bool { return k.key.IsZero() }

// Open verifies m and returns its plaintext. It fails with [ErrMAC] when the
// key is not that of m, or is the zero MessageKey.
func (k MessageKey) Open(m NormalMessage) ([]byte, error) {
	if k.key.IsZero() {
		return nil, ErrMAC
	}
	return k.key.Peek().open(m)
}

// cipher is what the key of one message expands to.
func (k *messageKey) cipher() message.Cipher { return message.NewCipher(k[:], "OLM_KEYS") }

func (k *remoteMessageKey) cipher() message.Cipher { return (*messageKey)(k).cipher() }

// seal returns the message for plaintext at index, in one buffer of exactly its
// size.
func (k *messageKey) seal(s *state, index uint32, plaintext []byte) Message {
	normal := normalSize(index, message.PaddedSize(len(plaintext)))
	if s.received {
		return Message{Normal, k.appendNormal(make([]byte, 0, normal), &s.sender.ratchet.public, index, plaintext)}
	}
	b := make([]byte, 0, preKeySize(normal))
	b = appendPreKeyHeader(b, s.keys, normal)
	return Message{PreKey, k.appendNormal(b, &s.sender.ratchet.public, index, plaintext)}
}

func (k *messageKey) appendNormal(b []byte, ratchetKey *PublicKey, index uint32, plaintext []byte) []byte {
	c := k.cipher()
	begin := len(b)
	b = appendNormalHeader(b, ratchetKey, index, message.PaddedSize(len(plaintext)))
	b = c.AppendEncrypted(b, plaintext)
	mac := c.MAC(b[begin:])
	return append(b, mac[:]...)
}

// open verifies a message and then decrypts it. A wrong MAC and a wrong
// padding are one error, [ErrMAC].
func (k *remoteMessageKey) open(m NormalMessage) ([]byte, error) {
	if len(m.raw) == 0 {
		return nil, malformed("empty message")
	}
	c := k.cipher()
	body, mac := m.authenticated()
	text, ok := c.Open(body, mac, m.ciphertext)
	if !ok {
		return nil, ErrMAC
	}
	return text, nil
}
