package ratchet

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"

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

// messageCipher holds what a message key expands to: AES-256-CBC and
// HMAC-SHA-256 keys and the IV. It exists for one message.
type messageCipher struct {
	okm [32 + 32 + aes.BlockSize]byte
}

func (k *messageKey) cipher() (c messageCipher) {
	hkdf(c.okm[:], nil, k[:], "OLM_KEYS")
	return c
}

func (k *remoteMessageKey) cipher() messageCipher { return (*messageKey)(k).cipher() }

func (c *messageCipher) aesKey() []byte { return c.okm[:32] }
func (c *messageCipher) macKey() []byte { return c.okm[32:64] }

// iv is a copy: crypto/cipher moves what it is given to the heap, and the other
// keys should not go there with it.
func (c *messageCipher) iv() [aes.BlockSize]byte { return [aes.BlockSize]byte(c.okm[64:]) }

func (c *messageCipher) block() cipher.Block {
	b, err := aes.NewCipher(c.aesKey())
	if err != nil {
		panic("ratchet: an AES key of 32 bytes was refused") // it fails for other lengths only
	}
	return b
}

// mac returns the truncated MAC of everything in a message before it.
func (c *messageCipher) mac(message []byte) (mac [macSize]byte) {
	full := hmacOnce(c.macKey(), message)
	copy(mac[:], full[:])
	return mac
}

// encrypt encrypts in place; b is the padded plaintext.
func (c *messageCipher) encrypt(b []byte) {
	iv := c.iv()
	cipher.NewCBCEncrypter(c.block(), iv[:]).CryptBlocks(b, b)
}

// decrypt returns the padded plaintext of whole blocks.
func (c *messageCipher) decrypt(ciphertext []byte) []byte {
	out := make([]byte, len(ciphertext))
	iv := c.iv()
	cipher.NewCBCDecrypter(c.block(), iv[:]).CryptBlocks(out, ciphertext)
	return out
}

// seal returns the message for plaintext at index, in one buffer of exactly its
// size.
func (k *messageKey) seal(s *state, index uint32, plaintext []byte) Message {
	normal := normalSize(index, paddedSize(len(plaintext)))
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
	b = appendNormalHeader(b, ratchetKey, index, paddedSize(len(plaintext)))
	text := len(b)
	b = append(b, plaintext...)
	b = appendPadding(b, len(plaintext))
	c.encrypt(b[text:])
	mac := c.mac(b[begin:])
	return append(b, mac[:]...)
}

// open verifies a message and then decrypts it. A wrong MAC and a wrong
// padding are one error, [ErrMAC].
func (k *remoteMessageKey) open(m NormalMessage) ([]byte, error) {
	if len(m.raw) == 0 {
		return nil, malformed("empty message")
	}
	c := k.cipher()
	body, tag := m.authenticated()
	mac := c.mac(body)
	if subtle.ConstantTimeCompare(mac[:], tag) != 1 {
		return nil, ErrMAC
	}
	padded := c.decrypt(m.ciphertext)
	n, ok := unpad(padded)
	if ok != 1 {
		return nil, ErrMAC
	}
	return padded[:n:n], nil
}

// paddedSize is the length of n bytes with PKCS#7 padding: at least one more.
func paddedSize(n int) int { return n - n%aes.BlockSize + aes.BlockSize }

// appendPadding appends the PKCS#7 padding (RFC 5652, section 6.3) of a
// plaintext of n bytes.
func appendPadding(b []byte, n int) []byte {
	size := paddedSize(n) - n
	var padding [aes.BlockSize]byte
	for i := range padding {
		padding[i] = byte(size)
	}
	return append(b, padding[:size]...)
}

// unpad returns how many bytes come before the padding of b, which is whole
// blocks and at least one, and 1 if the padding is good, else 0. It looks at
// the same bytes whatever they are.
func unpad(b []byte) (n, ok int) {
	size := int(b[len(b)-1])
	ok = subtle.ConstantTimeLessOrEq(1, size) & subtle.ConstantTimeLessOrEq(size, aes.BlockSize)
	for i := 1; i <= aes.BlockSize; i++ {
		inside := subtle.ConstantTimeLessOrEq(i, size)
		equal := subtle.ConstantTimeByteEq(b[len(b)-i], byte(size))
		ok &= subtle.ConstantTimeSelect(inside, equal, 1)
	}
	return len(b) - subtle.ConstantTimeSelect(ok, size, 0), ok
}
