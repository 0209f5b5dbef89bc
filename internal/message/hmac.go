package message

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding"
)

// HMAC-SHA-256 (RFC 2104) and HKDF over it, for keys of at most one block, which
// all keys here are. An Olm message takes seven MACs under four keys.
// crypto/hmac makes five allocations for each; these keep the hash on the stack.

// block is a key masked for one of HMAC's two hashes.
type block [sha256.BlockSize]byte

// The constants that HMAC masks its key with.
var (
	innerPad = repeated(0x36)
	outerPad = repeated(0x5c)
)

func repeated(b byte) (out block) {
	for i := range out {
		out[i] = b
	}
	return out
}

func masked(key []byte, pad *block) (out block) {
	copy(out[:], key)
	subtle.XORBytes(out[:], out[:], pad[:])
	return out
}

// HMAC returns the MAC of a message under a key of at most 64 bytes that makes no
// other.
func HMAC(key, message []byte) (mac [sha256.Size]byte) {
	inner, outer := masked(key, &innerPad), masked(key, &outerPad)
	h := sha256.New()
	h.Write(inner[:])
	h.Write(message)
	h.Sum(mac[:0])

	h.Reset()
	h.Write(outer[:])
	h.Write(mac[:])
	h.Sum(mac[:0])
	return mac
}

// HMACKey is a key that makes several MACs: the two hashes as they are once
// they have taken the masked key, which saves half the work of a short message.
type HMACKey struct {
	inner, outer hashState
}

// hashState is a SHA-256 as it marshals itself. It determines the masked key,
// so it is as secret.
type hashState [108]byte

// NewHMACKey returns a key of at most 64 bytes.
func NewHMACKey(key []byte) HMACKey {
	inner, outer := masked(key, &innerPad), masked(key, &outerPad)
	return HMACKey{stateAfter(&inner), stateAfter(&outer)}
}

func stateAfter(b *block) (s hashState) {
	h := sha256.New()
	h.Write(b[:])
	out, err := h.(encoding.BinaryAppender).AppendBinary(s[:0])
	if err != nil || len(out) != len(s) {
		panic("message: SHA-256 does not marshal to 108 bytes") // seen by any test, or never
	}
	return s
}

// MAC returns the MAC of a message.
func (k *HMACKey) MAC(message []byte) (mac [sha256.Size]byte) {
	h := sha256.New()
	state := h.(encoding.BinaryUnmarshaler)
	if state.UnmarshalBinary(k.inner[:]) != nil {
		panic("message: SHA-256 refuses its own state")
	}
	h.Write(message)
	h.Sum(mac[:0])

	if state.UnmarshalBinary(k.outer[:]) != nil {
		panic("message: SHA-256 refuses its own state")
	}
	h.Write(mac[:])
	h.Sum(mac[:0])
	return mac
}

// MaxInfo bounds the info strings of [HKDF]; "OLM_RATCHET" is the longest.
const MaxInfo = 16

// HKDF fills out with HKDF-SHA-256 (RFC 5869) of ikm. A nil salt is the salt
// of zeros. It takes salts of at most 64 bytes, infos of at most MaxInfo and
// outputs of at most 255*32 bytes, and allocates nothing.
func HKDF(out, salt, ikm []byte, info string) {
	prk := extract(salt, ikm)
	expand := NewHMACKey(prk[:])
	var block [sha256.Size + MaxInfo + 1]byte
	n := copy(block[sha256.Size:], info)
	last := sha256.Size + n
	// The first round has no block before it.
	input := block[sha256.Size : last+1]
	for counter := byte(1); len(out) > 0; counter++ {
		block[last] = counter
		t := expand.MAC(input)
		out = out[copy(out, t[:]):]
		copy(block[:], t[:])
		input = block[:last+1]
	}
}

// zeroSalt is public: it is the salt of every message key.
var zeroSalt = NewHMACKey(nil)

func extract(salt, ikm []byte) [sha256.Size]byte {
	if salt == nil {
		return zeroSalt.MAC(ikm)
	}
	return HMAC(salt, ikm)
}
