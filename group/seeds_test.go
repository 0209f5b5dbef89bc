package group

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/pawlkv/pawl/internal/message"
	"github.com/pawlkv/pawl/internal/message/messagetest"
	"github.com/pawlkv/pawl/internal/record/recordtest"
	"github.com/pawlkv/pawl/internal/testfiles"
)

// seed is one that may be written without the names of its fields.
type seed testfiles.Seed

// sampleIndex is that of the sample message and key.
const sampleIndex = 300

func sampleSender() sender {
	var s sender
	random := seeded(99)
	for i := range s.ratchet.parts {
		random.Read(s.ratchet.parts[i][:])
	}
	return sender{ratchet: s.ratchet.at(sampleIndex), signing: newSigningKey(random)}
}

// seal puts a version before the fields, and MAC and signature behind.
func (s *sender) seal(fields ...[]byte) []byte {
	b := messagetest.Join(append([][]byte{{messageVersion}}, fields...)...)
	c := s.ratchet.cipher()
	mac := c.MAC(b)
	b = append(b, mac[:]...)
	signature := s.signing.Sign(b)
	return append(b, signature[:]...)
}

// messageSeeds are messages, good and bad, with good MACs and signatures unless
// those are the point.
func messageSeeds() []seed {
	s := sampleSender()
	c := s.ratchet.cipher()
	text := c.AppendEncrypted(nil, []byte("a text of more than one block"))
	index, encrypted := messagetest.NumberField(tagIndex, sampleIndex), messagetest.BytesField(tagCiphertext, text)
	good := s.seal(index, encrypted)
	unknownBytes := messagetest.BytesField(5<<3|message.Bytes, []byte("unknown"))
	unknownNumber := messagetest.NumberField(6<<3|message.Varint, math.MaxUint64)
	flipped := func(fromEnd int) []byte {
		b := bytes.Clone(good)
		b[len(b)-fromEnd] ^= 1
		return b
	}
	return []seed{
		{"canonical", good, nil},
		{"order 21", s.seal(encrypted, index), nil},
		{"unknown fields", s.seal(unknownNumber, index, unknownBytes, encrypted, unknownBytes), nil},
		{"known number of another type", s.seal(messagetest.BytesField(1<<3|message.Bytes, text), index, messagetest.NumberField(2<<3, 1), encrypted), nil},
		{"repeated fields, last wins", s.seal(messagetest.NumberField(tagIndex, 1<<40), messagetest.BytesField(tagCiphertext, nil), index, encrypted), nil},
		{"overlong index", s.seal([]byte{tagIndex}, messagetest.Overlong(sampleIndex, 3), encrypted), nil},
		{"overlong length", s.seal(index, []byte{tagCiphertext}, messagetest.Overlong(32, 8), text), nil},
		{"largest index", s.seal(messagetest.NumberField(tagIndex, maxIndex), encrypted), nil},
		{"wrong MAC", flipped(signatureSize + 1), nil}, // for the key to find
		{"wrong signature", flipped(1), nil},

		{"empty", nil, ErrMalformed},
		{"version only", good[:1], ErrMalformed},
		{"shorter than MAC and signature", good[:72], ErrMalformed},
		{"MAC and signature only", s.seal(), ErrMalformed},
		{"last byte missing", good[:len(good)-1], ErrMalformed},
		{"byte after the end", append(bytes.Clone(good), 0), ErrMalformed},
		{"version 2", append([]byte{2}, good[1:]...), ErrVersion},
		{"version 4", append([]byte{4}, good[1:]...), ErrVersion},
		{"no index", s.seal(encrypted), ErrMalformed},
		{"no ciphertext", s.seal(index), ErrMalformed},
		{"empty ciphertext", s.seal(index, messagetest.BytesField(tagCiphertext, nil)), ErrMalformed},
		{"ciphertext of 31 bytes", s.seal(index, messagetest.BytesField(tagCiphertext, text[:31])), ErrMalformed},
		{"repeated fields, last is bad", s.seal(index, encrypted, messagetest.BytesField(tagCiphertext, nil)), ErrMalformed},
		{"index of 33 bits", s.seal(messagetest.NumberField(tagIndex, 1<<32), encrypted), ErrMalformed},
		{"index of 65 bits", s.seal([]byte{tagIndex}, bytes.Repeat([]byte{0xff}, 9), []byte{2}, encrypted), ErrMalformed},
		{"index without end", s.seal(encrypted, []byte{tagIndex, 0x80}), ErrMalformed},
		{"length beyond the end", s.seal(index, []byte{tagCiphertext, 33}, text), ErrMalformed},
		{"length of 64 bits", s.seal(index, encrypted, messagetest.NumberField(5<<3|message.Bytes, math.MaxUint64)), ErrMalformed},
		{"length into the MAC", s.seal(index, encrypted, []byte{5<<3 | message.Bytes, 8}), ErrMalformed},
		{"overlong tag", s.seal(messagetest.Overlong(tagIndex, 1), index[1:], encrypted), ErrMalformed},
		{"field number 0", s.seal(index, encrypted, messagetest.NumberField(0, 1)), ErrMalformed},
		{"wire type 1", s.seal(index, encrypted, []byte{5<<3 | 1, 0, 0, 0, 0, 0, 0, 0, 0}), ErrMalformed},
		{"wire type 5", s.seal(index, encrypted, []byte{5<<3 | 5, 0, 0, 0, 0}), ErrMalformed},
	}
}

func sharedSeeds() []seed {
	s := sampleSender()
	good := s.share(&s.ratchet)
	flipped := func(at int) []byte {
		b := bytes.Clone(good)
		b[at] ^= 1
		return b
	}
	// A key of low order verifies signatures that nobody made: R is the neutral
	// point, S is 0.
	neutral := make([]byte, SharedKeySize)
	neutral[0], neutral[1+ratchetSize], neutral[ExportedKeySize] = sharedVersion, 1, 1
	last := s.ratchet.at(maxIndex)
	return []seed{
		{"canonical", good, nil},
		{"last index", s.share(&last), nil},

		{"empty", nil, ErrMalformed},
		{"version only", good[:1], ErrMalformed},
		{"version 1", append([]byte{1}, good[1:]...), ErrVersion},
		{"version 3", append([]byte{3}, good[1:]...), ErrVersion},
		{"last byte missing", good[:len(good)-1], ErrMalformed},
		{"byte after the end", append(bytes.Clone(good), 0), ErrMalformed},
		{"no signature", good[:ExportedKeySize], ErrMalformed},
		{"index changed", flipped(4), ErrSignature},
		{"ratchet changed", flipped(100), ErrSignature},
		{"key changed", flipped(1 + ratchetSize), ErrSignature},
		{"signature changed", flipped(len(good) - 1), ErrSignature},
		{"key of low order", neutral, ErrSignature},
	}
}

func exportSeeds() []seed {
	s := sampleSender()
	good, _ := restored(s).Key().Export(nil)
	return []seed{
		{"canonical", good, nil},
		{"index changed", append(messagetest.Join(good[:4]), append([]byte{good[4] ^ 1}, good[5:]...)...), nil}, // it proves nothing

		{"empty", nil, ErrMalformed},
		{"version only", good[:1], ErrMalformed},
		{"version 2", append([]byte{2}, good[1:]...), ErrVersion},
		{"last byte missing", good[:len(good)-1], ErrMalformed},
		{"byte after the end", append(bytes.Clone(good), 0), ErrMalformed},
		{"shared key", s.share(&s.ratchet), ErrVersion},
	}
}

// fatal is a tester where there is no test.
type fatal struct{}

func (fatal) Helper()        {}
func (fatal) Fatal(a ...any) { panic(fmt.Sprint(a...)) }

func inboundSamples() map[string]recordtest.Encoder {
	in := sampleInbound(fatal{})
	one := mustInbound(fatal{}, NewCopy(chain[5], Source{Provenance: Direct, Sender: [32]byte{1}}))
	return map[string]recordtest.Encoder{
		"one copy": one, "five copies": in, "floor": in.Forget(300), "all forgotten": in.Forget(Whole),
	}
}

func outboundSamples() map[string]recordtest.Encoder {
	o := mustOutbound(fatal{}, mustSender(fatal{}, 98))
	return map[string]recordtest.Encoder{"in use": o, "retired": o.Sent(o.Sender(), noon).Retire(SomebodyLeft, noon)}
}

// recordSeeds are records, and the ways to damage each.
func recordSeeds(samples map[string]recordtest.Encoder) (seeds []seed) {
	for _, name := range slices.Sorted(maps.Keys(samples)) {
		good, err := samples[name].Encode()
		if err != nil {
			panic(err)
		}
		seeds = append(seeds,
			seed{name, good, nil},
			seed{name + ", last byte missing", good[:len(good)-1], ErrFormat},
			seed{name + ", byte after the end", append(bytes.Clone(good), 0), ErrFormat},
			seed{name + ", version 3", append([]byte{3}, good[1:]...), ErrNewer})
	}
	return append(seeds, seed{"empty", nil, ErrFormat})
}
