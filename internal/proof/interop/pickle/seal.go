package pickle

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// macLength is how much of the HMAC a pickle carries.
const macLength = 8

// ErrPickle is what every failure to read a pickle wraps.
var ErrPickle = errors.New("pickle: damaged, or another key")

// Seal encrypts raw as libolm does: 16-byte blocks, an IV that depends on the
// key alone, eight bytes of MAC over the ciphertext.
func Seal(key, raw []byte) ([]byte, error) {
	k, err := deriveKeys(key)
	if err != nil {
		return nil, err
	}
	pad := aes.BlockSize - len(raw)%aes.BlockSize
	out := make([]byte, len(raw)+pad)
	copy(out, raw)
	for i := len(raw); i < len(out); i++ {
		out[i] = byte(pad)
	}
	cipher.NewCBCEncrypter(k.block, k.iv).CryptBlocks(out, out)
	out = append(out, k.mac(out)...)
	return base64.RawStdEncoding.AppendEncode(nil, out), nil
}

// Open is the inverse of [Seal]; the error wraps [ErrPickle].
func Open(key, pickled []byte) ([]byte, error) {
	k, err := deriveKeys(key)
	if err != nil {
		return nil, err
	}
	blob, err := base64.RawStdEncoding.Strict().AppendDecode(nil, pickled)
	if err != nil {
		return nil, fmt.Errorf("%w: %v", ErrPickle, err)
	}
	n := len(blob) - macLength
	if n < aes.BlockSize || n%aes.BlockSize != 0 || !hmac.Equal(k.mac(blob[:n]), blob[n:]) {
		return nil, ErrPickle
	}
	raw := make([]byte, n)
	cipher.NewCBCDecrypter(k.block, k.iv).CryptBlocks(raw, blob[:n])
	pad := int(raw[n-1])
	if pad == 0 || pad > aes.BlockSize {
		return nil, ErrPickle
	}
	return raw[:n-pad], nil
}

// pickleKeys are what a passphrase is stretched to.
type pickleKeys struct {
	block   cipher.Block
	hmacKey []byte
	iv      []byte
}

func deriveKeys(key []byte) (pickleKeys, error) {
	b, err := hkdf.Key(sha256.New, key, nil, "Pickle", 80)
	if err != nil {
		return pickleKeys{}, err
	}
	block, err := aes.NewCipher(b[:32])
	return pickleKeys{block: block, hmacKey: b[32:64], iv: b[64:]}, err
}

func (k pickleKeys) mac(ciphertext []byte) []byte {
	h := hmac.New(sha256.New, k.hmacKey)
	h.Write(ciphertext)
	return h.Sum(nil)[:macLength]
}
