package ratchet

import (
	"bytes"
	"math"

	"github.com/pawlkv/pawl/internal/message"
)

// seed is an input of a decoder: what it shows, and what must come of it.
type seed struct {
	name string
	in   []byte
	want error // nil: accepted
}

// normalSeeds are normal messages, good and bad, all with a good MAC unless
// the MAC is the point.
func normalSeeds() []seed {
	p := sampleParts()
	good := p.canonical()
	key := p.ratchet[2:]
	text := p.encrypted[2:]
	unknownBytes := bytesField(5<<3|message.Bytes, []byte("unknown"))
	unknownNumber := numberField(6<<3|message.Varint, math.MaxUint64)
	return []seed{
		{"canonical", good, nil},
		{"order 132", p.seal(p.ratchet, p.encrypted, p.index), nil},
		{"order 213", p.seal(p.index, p.ratchet, p.encrypted), nil},
		{"order 231", p.seal(p.index, p.encrypted, p.ratchet), nil},
		{"order 312", p.seal(p.encrypted, p.ratchet, p.index), nil},
		{"order 321", p.seal(p.encrypted, p.index, p.ratchet), nil},
		{"unknown fields", p.seal(unknownNumber, p.ratchet, unknownBytes, p.index, p.encrypted, unknownBytes), nil},
		{"unknown field of high number", p.seal(p.ratchet, p.index, numberField(1<<40, 1), p.encrypted), nil},
		{"known number of another type", p.seal(numberField(1<<3, 9), p.ratchet, bytesField(2<<3|message.Bytes, text), p.index, p.encrypted), nil},
		{"repeated fields, last wins", p.seal(bytesField(tagRatchetKey, []byte("short")), numberField(tagIndex, 1<<40), bytesField(tagCiphertext, nil), p.ratchet, p.index, p.encrypted), nil},
		{"overlong index", p.seal(p.ratchet, []byte{tagIndex}, overlong(300, 3), p.encrypted), nil},
		{"overlong length", p.seal([]byte{tagRatchetKey}, overlong(32, 8), key, p.index, p.encrypted), nil},
		{"largest index", p.seal(p.ratchet, numberField(tagIndex, maxIndex), p.encrypted), nil},
		{"wrong MAC", append(bytes.Clone(good[:len(good)-1]), good[len(good)-1]^1), nil}, // for the session to find

		{"empty", nil, ErrMalformed},
		{"version only", good[:1], ErrMalformed},
		{"shorter than a MAC", good[:8], ErrMalformed},
		{"MAC only", p.seal(), ErrMalformed},
		{"cut in the ciphertext", good[:60], ErrMalformed},
		{"last byte missing", good[:len(good)-1], ErrMalformed},
		{"version 2", append([]byte{2}, good[1:]...), ErrVersion},
		{"version 4", append([]byte{4}, good[1:]...), ErrVersion},
		{"no ratchet key", p.seal(p.index, p.encrypted), ErrMalformed},
		{"no index", p.seal(p.ratchet, p.encrypted), ErrMalformed},
		{"no ciphertext", p.seal(p.ratchet, p.index), ErrMalformed},
		{"empty ciphertext", p.seal(p.ratchet, p.index, bytesField(tagCiphertext, nil)), ErrMalformed},
		{"ciphertext of 31 bytes", p.seal(p.ratchet, p.index, bytesField(tagCiphertext, text[:31])), ErrMalformed},
		{"ratchet key of 31 bytes", p.seal(bytesField(tagRatchetKey, key[:31]), p.index, p.encrypted), ErrMalformed},
		{"ratchet key of 33 bytes", p.seal(bytesField(tagRatchetKey, append(bytes.Clone(key), 0)), p.index, p.encrypted), ErrMalformed},
		{"repeated fields, last is bad", p.seal(p.ratchet, p.index, p.encrypted, bytesField(tagRatchetKey, nil)), ErrMalformed},
		{"index of 33 bits", p.seal(p.ratchet, numberField(tagIndex, 1<<32), p.encrypted), ErrMalformed},
		{"index of 65 bits", p.seal(p.ratchet, []byte{tagIndex}, bytes.Repeat([]byte{0xff}, 9), []byte{2}, p.encrypted), ErrMalformed},
		{"index without end", p.seal(p.ratchet, p.encrypted, []byte{tagIndex, 0x80}), ErrMalformed},
		{"length beyond the end", p.seal(p.ratchet, p.index, []byte{tagCiphertext, 33}, text), ErrMalformed},
		{"length of 64 bits", p.seal(p.ratchet, p.index, p.encrypted, numberField(5<<3|message.Bytes, math.MaxUint64)), ErrMalformed},
		{"length into the MAC", p.seal(p.ratchet, p.index, p.encrypted, []byte{5<<3 | message.Bytes, 8}), ErrMalformed},
		{"overlong tag", p.seal(overlong(tagRatchetKey, 1), p.ratchet[1:], p.index, p.encrypted), ErrMalformed},
		{"field number 0", p.seal(p.ratchet, p.index, p.encrypted, numberField(0, 1)), ErrMalformed},
		{"wire type 1", p.seal(p.ratchet, p.index, p.encrypted, []byte{5<<3 | 1, 0, 0, 0, 0, 0, 0, 0, 0}), ErrMalformed},
		{"wire type 3", p.seal(p.ratchet, p.index, p.encrypted, []byte{5<<3 | 3}), ErrMalformed},
		{"wire type 4", p.seal(p.ratchet, p.index, p.encrypted, []byte{5<<3 | 4}), ErrMalformed},
		{"wire type 5", p.seal(p.ratchet, p.index, p.encrypted, []byte{5<<3 | 5, 0, 0, 0, 0}), ErrMalformed},
		{"pre-key message", samplePreKeyParts().canonical(), ErrMalformed},
	}
}

func preKeySeeds() []seed {
	p := samplePreKeyParts()
	good := p.canonical()
	v := []byte{message.Version}
	inner := sampleParts()
	unknown := join(numberField(7<<3, 1), bytesField(8<<3|message.Bytes, []byte("unknown")))
	with := func(normal []byte) []byte {
		return join(v, p.oneTime, p.base, p.identity, bytesField(tagNormal, normal))
	}
	return []seed{
		{"canonical", good, nil},
		{"order of other programs", join(v, p.oneTime, p.identity, p.base, p.normal), nil},
		{"backwards", join(v, p.normal, p.identity, p.base, p.oneTime), nil},
		{"unknown fields", join(v, unknown, p.oneTime, p.base, unknown, p.identity, p.normal, unknown), nil},
		{"repeated fields, last wins", join(v, bytesField(tagOneTimeKey, []byte("x")), bytesField(tagNormal, nil), good[1:]), nil},
		{"message within has unknown fields", with(inner.seal(inner.index, unknown, inner.encrypted, inner.ratchet)), nil},
		{"overlong length", join(v, []byte{tagOneTimeKey}, overlong(32, 2), p.oneTime[2:], p.base, p.identity, p.normal), nil},

		{"empty", nil, ErrMalformed},
		{"version only", v, ErrMalformed},
		{"version 4", append([]byte{4}, good[1:]...), ErrVersion},
		{"version 4 within", with(append([]byte{4}, inner.canonical()[1:]...)), ErrVersion},
		{"no one-time key", join(v, p.base, p.identity, p.normal), ErrMalformed},
		{"no base key", join(v, p.oneTime, p.identity, p.normal), ErrMalformed},
		{"no identity key", join(v, p.oneTime, p.base, p.normal), ErrMalformed},
		{"no message within", join(v, p.oneTime, p.base, p.identity), ErrMalformed},
		{"empty message within", with(nil), ErrMalformed},
		{"message within cut off", with(inner.canonical()[:70]), ErrMalformed},
		{"message within has no index", with(inner.seal(inner.ratchet, inner.encrypted)), ErrMalformed},
		{"message within is a pre-key message", with(good), ErrMalformed},
		{"one-time key of 31 bytes", join(v, bytesField(tagOneTimeKey, p.oneTime[3:]), p.base, p.identity, p.normal), ErrMalformed},
		{"base key of 33 bytes", join(v, p.oneTime, bytesField(tagBaseKey, p.base[1:]), p.identity, p.normal), ErrMalformed},
		{"identity key of 0 bytes", join(v, p.oneTime, p.base, bytesField(tagIdentityKey, nil), p.normal), ErrMalformed},
		{"last byte missing", good[:len(good)-1], ErrMalformed},
		{"byte after the end", append(bytes.Clone(good), 0), ErrMalformed},
		{"overlong tag", join(v, overlong(tagOneTimeKey, 1), p.oneTime[1:], p.base, p.identity, p.normal), ErrMalformed},
		{"wire type 5", join(good, []byte{9<<3 | 5, 1, 2, 3, 4}), ErrMalformed},
		{"normal message", inner.canonical(), ErrMalformed},
	}
}
