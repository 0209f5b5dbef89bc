package pickle

import (
	"crypto/aes"

	"github.com/pawlkv/pawl/internal/message"
	"github.com/pawlkv/pawl/internal/unpadded"
)

// info is what pickle keys are expanded with.
const info = "Pickle"

// Open returns what is in a pickle, which belongs to the caller and is secret:
//
//	base64(AES-256-CBC(content) | MAC (8)), keys and IV from HKDF-SHA-256(key, "Pickle")
//
// The MAC is compared first, in constant time. It fails with [ErrKey] or [ErrDamaged]
// (not base64, too long, or no whole blocks).
func Open(key []byte, pickled string) ([]byte, error) {
	if len(pickled) > MaxSize {
		return nil, Damaged("%d bytes, at most %d", len(pickled), MaxSize)
	}
	blob, ok := unpadded.Decode(pickled)
	n := len(blob) - message.MACSize
	if !ok || n < aes.BlockSize || n%aes.BlockSize != 0 {
		return nil, Damaged("not base64 of whole blocks and a MAC")
	}
	c := message.NewCipher(key, info)
	content, ok := c.Open(blob[:n], blob[n:], blob[:n])
	if !ok {
		return nil, ErrKey
	}
	return content, nil
}
