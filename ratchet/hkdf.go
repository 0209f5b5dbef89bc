package ratchet

import "crypto/sha256"

// maxInfo bounds the info strings of hkdf; "OLM_RATCHET" is the longest.
const maxInfo = 16

// hkdf fills out with HKDF-SHA-256 (RFC 5869) of ikm. A nil salt is the salt
// of zeros. It takes salts of at most 64 bytes, infos of at most maxInfo and
// outputs of at most 255*32 bytes, and allocates nothing.
func hkdf(out, salt, ikm []byte, info string) {
	prk := extract(salt, ikm)
	expand := newHMACKey(prk[:])
	var block [sha256.Size + maxInfo + 1]byte
	n := copy(block[sha256.Size:], info)
	last := sha256.Size + n
	// The first round has no block before it.
	input := block[sha256.Size : last+1]
	for counter := byte(1); len(out) > 0; counter++ {
		block[last] = counter
		t := expand.mac(input)
		out = out[copy(out, t[:]):]
		copy(block[:], t[:])
		input = block[:last+1]
	}
}

// zeroSalt is public: it is the salt of every message key.
var zeroSalt = newHMACKey(nil)

func extract(salt, ikm []byte) [sha256.Size]byte {
	if salt == nil {
		return zeroSalt.mac(ikm)
	}
	return hmacOnce(salt, ikm)
}
