// Package forge makes Olm messages byte by byte, with valid MACs: fields in
// another order, fields nobody knows, numbers written too long. A sender's
// chain key comes from a pickle.
package forge

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
)

// Tags of the fields: the protobuf key of field number and wire type.
const (
	TagRatchetKey  = 0x0a // normal message
	TagIndex       = 0x10
	TagCiphertext  = 0x22
	TagOneTimeKey  = 0x0a // pre-key message
	TagBaseKey     = 0x12
	TagIdentityKey = 0x1a
	TagMessage     = 0x22
)

// Version is the first byte of every message.
const Version = 3

// MACLength is how much of the HMAC a normal message carries.
const MACLength = 8

// Keys encrypt and authenticate one message.
type Keys struct {
	aes, hmac, iv []byte
}

// KeysOf derives the keys of the message that is ahead steps further on the
// chain.
func KeysOf(chainKey [32]byte, ahead int) Keys {
	for range ahead {
		chainKey = [32]byte(mac(chainKey[:], []byte{2}))
	}
	b, err := hkdf.Key(sha256.New, mac(chainKey[:], []byte{1}), nil, "OLM_KEYS", 80)
	if err != nil {
		panic(err) // 80 bytes is a length that HKDF can give
	}
	return Keys{aes: b[:32], hmac: b[32:64], iv: b[64:]}
}

// Encrypt pads and encrypts.
func (k Keys) Encrypt(plaintext []byte) []byte {
	pad := aes.BlockSize - len(plaintext)%aes.BlockSize
	out := append([]byte(nil), plaintext...)
	for range pad {
		out = append(out, byte(pad))
	}
	return k.EncryptBlocks(out)
}

// EncryptBlocks encrypts whole blocks, whatever their padding says.
func (k Keys) EncryptBlocks(blocks []byte) []byte {
	c, err := aes.NewCipher(k.aes)
	if err != nil {
		panic(err) // the key is 32 bytes
	}
	out := make([]byte, len(blocks))
	cipher.NewCBCEncrypter(c, k.iv).CryptBlocks(out, blocks)
	return out
}

// Seal appends the MAC over b.
func (k Keys) Seal(b []byte) []byte {
	return append(append([]byte(nil), b...), mac(k.hmac, b)[:MACLength]...)
}

// Bytes is a length-delimited field.
func Bytes(tag byte, value []byte) []byte {
	b := binary.AppendUvarint([]byte{tag}, uint64(len(value)))
	return append(b, value...)
}

// Varint is a number field.
func Varint(tag byte, value uint64) []byte {
	return binary.AppendUvarint([]byte{tag}, value)
}

// Body joins the version byte and fields.
func Body(version byte, fields ...[]byte) []byte {
	b := []byte{version}
	for _, f := range fields {
		b = append(b, f...)
	}
	return b
}

func mac(key, data []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(data)
	return h.Sum(nil)
}
