package message

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// MACSize is the length of the truncated MAC at the end of a message, or in
// Megolm before the signature.
const MACSize = 8

// Cipher holds what a message key expands to: AES-256-CBC and HMAC-SHA-256 keys
// and the IV. It exists for one message; keep it in a local variable.
type Cipher struct {
	okm [32 + 32 + aes.BlockSize]byte
}

// NewCipher expands a message key with an info string of at most [MaxInfo] bytes.
func NewCipher(key []byte, info string) (c Cipher) {
	HKDF(c.okm[:], nil, key, info)
	return c
}

func (c *Cipher) aesKey() []byte { return c.okm[:32] }
func (c *Cipher) macKey() []byte { return c.okm[32:64] }

// iv is a copy: crypto/cipher moves what it is given to the heap, and the other
// keys should not go there with it.
func (c *Cipher) iv() [aes.BlockSize]byte { return [aes.BlockSize]byte(c.okm[64:]) }

func (c *Cipher) block() cipher.Block {
	b, err := aes.NewCipher(c.aesKey())
	if err != nil {
		panic("message: an AES key of 32 bytes was refused") // it fails for other lengths only
	}
	return b
}

// MAC returns the truncated MAC of everything in a message before it.
func (c *Cipher) MAC(message []byte) (mac [MACSize]byte) {
	full := HMAC(c.macKey(), message)
	copy(mac[:], full[:])
	return mac
}

// AppendEncrypted appends the ciphertext of a plaintext: [PaddedSize] bytes.
func (c *Cipher) AppendEncrypted(b, plaintext []byte) []byte {
	begin := len(b)
	b = append(b, plaintext...)
	b = appendPadding(b, len(plaintext))
	iv := c.iv()
	cipher.NewCBCEncrypter(c.block(), iv[:]).CryptBlocks(b[begin:], b[begin:])
	return b
}

// Open returns the plaintext of a ciphertext, which is whole blocks and at least
// one, and whether mac is that of message and the padding is good. It decrypts
// nothing before the MAC is.
func (c *Cipher) Open(message, mac, ciphertext []byte) (plaintext []byte, ok bool) {
	want := c.MAC(message)
	if subtle.ConstantTimeCompare(want[:], mac) != 1 {
		return nil, false
	}
	out := make([]byte, len(ciphertext))
	iv := c.iv()
	cipher.NewCBCDecrypter(c.block(), iv[:]).CryptBlocks(out, ciphertext)
	n, good := unpad(out)
	if good != 1 {
		return nil, false
	}
	return out[:n:n], true
}

// PaddedSize is the length of n bytes with PKCS#7 padding: at least one more.
func PaddedSize(n int) int { return n - n%aes.BlockSize + aes.BlockSize }

// appendPadding appends the PKCS#7 padding (RFC 5652, section 6.3) of a
// plaintext of n bytes.
func appendPadding(b []byte, n int) []byte {
	size := PaddedSize(n) - n
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
