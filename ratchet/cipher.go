package ratchet

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// messageCipher holds what a message key expands to: AES-256-CBC and
// HMAC-SHA-256 keys and the IV. It exists for one message.
type messageCipher struct {
	okm [32 + 32 + aes.BlockSize]byte
}

func newMessageCipher(key *[32]byte) (c messageCipher) {
	hkdf(c.okm[:], nil, key[:], "OLM_KEYS")
	return c
}

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

// open verifies a message and then decrypts it. A wrong MAC and a wrong
// padding are one error, [ErrMAC].
func open(key *[32]byte, m NormalMessage) ([]byte, error) {
	if len(m.raw) == 0 {
		return nil, malformed("empty message")
	}
	c := newMessageCipher(key)
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
