package group

import "github.com/pawlkv/pawl/internal/message"

const (
	parts    = 4
	partSize = 32

	// maxIndex is the last index that messages and keys can name. A sender stops
	// before it: one more step would wrap to 0 and use keys again.
	maxIndex = 1<<32 - 1
)

// state is the ratchet at an index, R_0 to R_3. Of two parts the one with the smaller number
// moves less often, and gives all that follow it anew when it does.
type state struct {
	parts [parts][partSize]byte
	index uint32
}

// seeds are the inputs of H_0 to H_3: H_j(A) = HMAC-SHA-256(A, j).
var seeds = [parts][]byte{{0}, {1}, {2}, {3}}

// advance moves the ratchet to an index at or after its own, in at most 1023
// hashes: 255 for each part and one for each that a part before it gives anew.
//
// Part j moves when the index passes a multiple of 256^(3-j). Until the last of
// those before the wanted index nobody needs the parts after j, so only the last
// move gives them, and only as far as the next part that moves itself.
func (r *state) advance(to uint32) {
	for j := range parts {
		shift := 8 * (parts - 1 - j)
		moves := to>>shift - r.index>>shift
		if moves == 0 {
			continue
		}
		for range moves - 1 {
			r.give(j, j)
		}
		r.index = to >> shift << shift
		for k := j + 1; k < parts; k++ {
			r.give(k, j)
			if next := 8 * (parts - 1 - k); to>>next != r.index>>next {
				break // it moves next, and gives the rest
			}
		}
		r.give(j, j)
	}
}

// give sets R_to to H_to(R_from).
func (r *state) give(to, from int) {
	r.parts[to] = message.HMAC(r.parts[from][:], seeds[to])
}

// at returns the ratchet at an index at or after its own.
func (r *state) at(index uint32) state {
	next := *r
	next.advance(index)
	return next
}

// cipher is what the key of the message at the ratchet's index expands to.
func (r *state) cipher() message.Cipher {
	var key [parts * partSize]byte
	for i := range r.parts {
		copy(key[i*partSize:], r.parts[i][:])
	}
	return message.NewCipher(key[:], "MEGOLM_KEYS")
}
