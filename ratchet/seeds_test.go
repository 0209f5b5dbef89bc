package ratchet

import (
	"bytes"
	"math"

	"github.com/pawlkv/pawl/internal/message"
	"github.com/pawlkv/pawl/internal/message/messagetest"
	"github.com/pawlkv/pawl/internal/testfiles"
)

// seed is one that may be written without the names of its fields.
type seed testfiles.Seed

// normalSeeds are normal messages, good and bad, all with a good MAC unless
// the MAC is the point.
func normalSeeds() []seed {
	p := sampleParts()
	good := p.canonical()
	key := p.ratchet[2:]
	text := p.encrypted[2:]
	unknownBytes := messagetest.BytesField(5<<3|message.Bytes, []byte("unknown"))
	unknownNumber := messagetest.NumberField(6<<3|message.Varint, math.MaxUint64)
	return []seed{
		{"canonical", good, nil},
		{"order 132", p.seal(p.ratchet, p.encrypted, p.index), nil},
		{"order 213", p.seal(p.index, p.ratchet, p.encrypted), nil},
		{"order 231", p.seal(p.index, p.encrypted, p.ratchet), nil},
		{"order 312", p.seal(p.encrypted, p.ratchet, p.index), nil},
		{"order 321", p.seal(p.encrypted, p.index, p.ratchet), nil},
		{"unknown fields", p.seal(unknownNumber, p.ratchet, unknownBytes, p.index, p.encrypted, unknownBytes), nil},
		{"unknown field of high number", p.seal(p.ratchet, p.index, messagetest.NumberField(1<<40, 1), p.encrypted), nil},
		{"known number of another type", p.seal(messagetest.NumberField(1<<3, 9), p.ratchet, messagetest.BytesField(2<<3|message.Bytes, text), p.index, p.encrypted), nil},
		{"repeated fields, last wins", p.seal(messagetest.BytesField(tagRatchetKey, []byte("short")), messagetest.NumberField(tagIndex, 1<<40), messagetest.BytesField(tagCiphertext, nil), p.ratchet, p.index, p.encrypted), nil},
		{"overlong index", p.seal(p.ratchet, []byte{tagIndex}, messagetest.Overlong(300, 3), p.encrypted), nil},
		{"overlong length", p.seal([]byte{tagRatchetKey}, messagetest.Overlong(32, 8), key, p.index, p.encrypted), nil},
		{"largest index", p.seal(p.ratchet, messagetest.NumberField(tagIndex, maxIndex), p.encrypted), nil},
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
		{"empty ciphertext", p.seal(p.ratchet, p.index, messagetest.BytesField(tagCiphertext, nil)), ErrMalformed},
		{"ciphertext of 31 bytes", p.seal(p.ratchet, p.index, messagetest.BytesField(tagCiphertext, text[:31])), ErrMalformed},
		{"ratchet key of 31 bytes", p.seal(messagetest.BytesField(tagRatchetKey, key[:31]), p.index, p.encrypted), ErrMalformed},
		{"ratchet key of 33 bytes", p.seal(messagetest.BytesField(tagRatchetKey, append(bytes.Clone(key), 0)), p.index, p.encrypted), ErrMalformed},
		{"repeated fields, last is bad", p.seal(p.ratchet, p.index, p.encrypted, messagetest.BytesField(tagRatchetKey, nil)), ErrMalformed},
		{"index of 33 bits", p.seal(p.ratchet, messagetest.NumberField(tagIndex, 1<<32), p.encrypted), ErrMalformed},
		{"index of 65 bits", p.seal(p.ratchet, []byte{tagIndex}, bytes.Repeat([]byte{0xff}, 9), []byte{2}, p.encrypted), ErrMalformed},
		{"index without end", p.seal(p.ratchet, p.encrypted, []byte{tagIndex, 0x80}), ErrMalformed},
		{"length beyond the end", p.seal(p.ratchet, p.index, []byte{tagCiphertext, 33}, text), ErrMalformed},
		{"length of 64 bits", p.seal(p.ratchet, p.index, p.encrypted, messagetest.NumberField(5<<3|message.Bytes, math.MaxUint64)), ErrMalformed},
		{"length into the MAC", p.seal(p.ratchet, p.index, p.encrypted, []byte{5<<3 | message.Bytes, 8}), ErrMalformed},
		{"overlong tag", p.seal(messagetest.Overlong(tagRatchetKey, 1), p.ratchet[1:], p.index, p.encrypted), ErrMalformed},
		{"field number 0", p.seal(p.ratchet, p.index, p.encrypted, messagetest.NumberField(0, 1)), ErrMalformed},
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
	unknown := messagetest.Join(messagetest.NumberField(7<<3, 1), messagetest.BytesField(8<<3|message.Bytes, []byte("unknown")))
	with := func(normal []byte) []byte {
		return messagetest.Join(v, p.oneTime, p.base, p.identity, messagetest.BytesField(tagNormal, normal))
	}
	return []seed{
		{"canonical", good, nil},
		{"order of other programs", messagetest.Join(v, p.oneTime, p.identity, p.base, p.normal), nil},
		{"backwards", messagetest.Join(v, p.normal, p.identity, p.base, p.oneTime), nil},
		{"unknown fields", messagetest.Join(v, unknown, p.oneTime, p.base, unknown, p.identity, p.normal, unknown), nil},
		{"repeated fields, last wins", messagetest.Join(v, messagetest.BytesField(tagOneTimeKey, []byte("x")), messagetest.BytesField(tagNormal, nil), good[1:]), nil},
		{"message within has unknown fields", with(inner.seal(inner.index, unknown, inner.encrypted, inner.ratchet)), nil},
		{"overlong length", messagetest.Join(v, []byte{tagOneTimeKey}, messagetest.Overlong(32, 2), p.oneTime[2:], p.base, p.identity, p.normal), nil},

		{"empty", nil, ErrMalformed},
		{"version only", v, ErrMalformed},
		{"version 4", append([]byte{4}, good[1:]...), ErrVersion},
		{"version 4 within", with(append([]byte{4}, inner.canonical()[1:]...)), ErrVersion},
		{"no one-time key", messagetest.Join(v, p.base, p.identity, p.normal), ErrMalformed},
		{"no base key", messagetest.Join(v, p.oneTime, p.identity, p.normal), ErrMalformed},
		{"no identity key", messagetest.Join(v, p.oneTime, p.base, p.normal), ErrMalformed},
		{"no message within", messagetest.Join(v, p.oneTime, p.base, p.identity), ErrMalformed},
		{"empty message within", with(nil), ErrMalformed},
		{"message within cut off", with(inner.canonical()[:70]), ErrMalformed},
		{"message within has no index", with(inner.seal(inner.ratchet, inner.encrypted)), ErrMalformed},
		{"message within is a pre-key message", with(good), ErrMalformed},
		{"one-time key of 31 bytes", messagetest.Join(v, messagetest.BytesField(tagOneTimeKey, p.oneTime[3:]), p.base, p.identity, p.normal), ErrMalformed},
		{"base key of 33 bytes", messagetest.Join(v, p.oneTime, messagetest.BytesField(tagBaseKey, p.base[1:]), p.identity, p.normal), ErrMalformed},
		{"identity key of 0 bytes", messagetest.Join(v, p.oneTime, p.base, messagetest.BytesField(tagIdentityKey, nil), p.normal), ErrMalformed},
		{"last byte missing", good[:len(good)-1], ErrMalformed},
		{"byte after the end", append(bytes.Clone(good), 0), ErrMalformed},
		{"overlong tag", messagetest.Join(v, messagetest.Overlong(tagOneTimeKey, 1), p.oneTime[1:], p.base, p.identity, p.normal), ErrMalformed},
		{"wire type 5", messagetest.Join(good, []byte{9<<3 | 5, 1, 2, 3, 4}), ErrMalformed},
		{"normal message", inner.canonical(), ErrMalformed},
	}
}
