//go:build libolm

package main

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/forge"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
)

// text is what most trials carry.
const text = "a message of the wire vectors"

// normal is a well-formed normal message in parts.
type normal struct {
	keys                      forge.Keys
	ratchet, index, encrypted []byte // whole fields
	ratchetKey                [32]byte
	number                    uint32
}

func normalOf(sender pickle.SenderChain, ahead int, plaintext string) normal {
	k := forge.KeysOf(sender.ChainKey, ahead)
	n := normal{keys: k, ratchetKey: sender.Public, number: sender.Index + uint32(ahead)}
	n.ratchet = forge.Bytes(forge.TagRatchetKey, sender.Public[:])
	n.index = forge.Varint(forge.TagIndex, uint64(n.number))
	n.encrypted = forge.Bytes(forge.TagCiphertext, k.Encrypt([]byte(plaintext)))
	return n
}

// with seals other fields under the same keys.
func (n normal) with(fields ...[]byte) []byte {
	return n.keys.Seal(forge.Body(forge.Version, fields...))
}

func (n normal) whole() []byte { return n.with(n.ratchet, n.index, n.encrypted) }

// normalTrials are normal messages on a chain that Bob has.
func normalTrials(b bench) []trial {
	var out []trial
	n := normalOf(b.sender, 0, text)
	add := func(name string, want interop.Verdict, body []byte) {
		out = append(out, trial{name: "normal: " + name, setup: opened, typ: 1, body: body, want: want, plaintext: text})
	}
	stricter := func(name string, want interop.Verdict, body []byte, why string) {
		add(name, want, body)
		out[len(out)-1].stricter = why
	}
	for _, length := range []int{0, 1, 15, 16, 17, 31, 32, 1024} {
		plaintext := fmt.Sprintf("%0*d", length, 0)[:length]
		add(fmt.Sprintf("plaintext of %d bytes", length), interop.Accepted, normalOf(b.sender, 0, plaintext).whole())
		out[len(out)-1].plaintext = plaintext
	}
	add("three ahead", interop.Accepted, normalOf(b.sender, 3, text).whole())
	add("2000 ahead", interop.Accepted, normalOf(b.sender, 2000, text).whole())
	add("2001 ahead", interop.Gap, normalOf(b.sender, 2001, text).whole())
	orderTrials(n, add, stricter)
	numberTrials(n, add, stricter)
	sizeTrials(n, add, stricter)
	sealTrials(n, add, stricter)
	return out
}

type adder func(name string, want interop.Verdict, body []byte)
type stricterAdder func(name string, want interop.Verdict, body []byte, why string)

func orderTrials(n normal, add adder, stricter stricterAdder) {
	ok := interop.Accepted
	wrongKey := forge.Bytes(forge.TagRatchetKey, make([]byte, 32))
	wrongText := forge.Bytes(forge.TagCiphertext, n.keys.Encrypt([]byte("another text")))
	add("fields in reverse order", ok, n.with(n.encrypted, n.index, n.ratchet))
	add("index first", ok, n.with(n.index, n.ratchet, n.encrypted))
	add("unknown number field first", ok, n.with(forge.Varint(0x28, 7), n.ratchet, n.index, n.encrypted))
	add("unknown bytes field in between", ok, n.with(n.ratchet, forge.Bytes(0x32, []byte("?")), n.index, n.encrypted))
	add("unknown empty bytes field last", ok, n.with(n.ratchet, n.index, n.encrypted, forge.Bytes(0x32, nil)))
	add("unknown field with a tag of two bytes", ok, n.with(n.ratchet, n.index, n.encrypted, []byte{0x82, 0x01, 0x00}))
	add("ratchet key's number with wire type 0", ok, n.with(forge.Varint(0x08, 9), n.ratchet, n.index, n.encrypted))
	add("index's number with wire type 2", ok, n.with(n.ratchet, forge.Bytes(0x12, []byte{9}), n.index, n.encrypted))
	add("index twice, the last counts", ok, n.with(n.ratchet, forge.Varint(forge.TagIndex, 99), n.index, n.encrypted))
	add("ratchet key twice, the last counts", ok, n.with(wrongKey, n.ratchet, n.index, n.encrypted))
	add("ciphertext twice, the last counts", ok, n.with(n.ratchet, n.index, wrongText, n.encrypted))
	for _, wireType := range []byte{1, 3, 4, 5, 6, 7} {
		odd := []byte{5<<3 | wireType, 0, 0, 0, 0, 0, 0, 0, 0}
		stricter(fmt.Sprintf("field of wire type %d", wireType), interop.Malformed, n.with(n.ratchet, n.index, n.encrypted, odd), "libolm stops reading there")
	}
}

func numberTrials(n normal, add adder, stricter stricterAdder) {
	bad := interop.Malformed
	index := func(b ...byte) []byte {
		return n.with(n.ratchet, append([]byte{forge.TagIndex}, b...), n.encrypted)
	}
	i := byte(n.number)
	add("index in two bytes", interop.Accepted, index(i|0x80, 0x00))
	add("index in five bytes", interop.Accepted, index(i|0x80, 0x80, 0x80, 0x80, 0x00))
	add("index in ten bytes", interop.Accepted, index(i|0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00))
	stricter("index in eleven bytes", bad, index(i|0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00), "libolm ignores what exceeds 64 bits")
	stricter("index plus 2^32", bad, index(i|0x80, 0x80, 0x80, 0x80, 0x10), "libolm takes the index modulo 2^32")
	stricter("index plus 2^63", bad, index(i|0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01), "libolm takes the index modulo 2^32")
	stricter("index with a 65th bit", bad, index(i|0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02), "libolm ignores what exceeds 64 bits")
	add("index never ends", bad, n.with(n.ratchet, n.encrypted, []byte{forge.TagIndex, 0x80, 0x80}))
	add("tag in two bytes", bad, n.with([]byte{0x8a, 0x00, 0x20}, n.ratchet[2:], n.index, n.encrypted))
	stricter("unknown tag longer than needed", bad, n.with(n.ratchet, n.index, n.encrypted, []byte{0xa8, 0x00, 0x00}), "one spelling of each tag")
	stricter("field number 0", bad, n.with(n.ratchet, n.index, n.encrypted, []byte{0x00, 0x00}), "protobuf has no field 0")
	add("ratchet key's length in two bytes", interop.Accepted, n.with([]byte{forge.TagRatchetKey, 0xa0, 0x00}, n.ratchet[2:], n.index, n.encrypted))
	stricter("length beyond the end", bad, n.with(n.ratchet, n.index, n.encrypted, []byte{0x32, 0x05, 0x00}), "libolm stops reading there")
	stricter("length of 2^64-1", bad, n.with(n.ratchet, n.index, n.encrypted, []byte{0x32, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}), "libolm stops reading there")
	stricter("length of 2^63", bad, n.with(n.ratchet, n.index, n.encrypted, []byte{0x32, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01}), "libolm stops reading there")
	stricter("tag without a value", bad, n.with(n.ratchet, n.index, n.encrypted, []byte{0x28}), "libolm stops reading there")
}

func sizeTrials(n normal, add adder, stricter stricterAdder) {
	bad := interop.Malformed
	key := n.ratchetKey[:]
	whole := n.whole()
	add("no index", bad, n.with(n.ratchet, n.encrypted))
	add("no ratchet key", bad, n.with(n.index, n.encrypted))
	add("no ciphertext", bad, n.with(n.ratchet, n.index))
	stricter("empty ciphertext", bad, n.with(n.ratchet, n.index, forge.Bytes(forge.TagCiphertext, nil)), "libolm decrypts no block to an empty plaintext")
	add("ciphertext of 15 bytes", bad, n.with(n.ratchet, n.index, forge.Bytes(forge.TagCiphertext, make([]byte, 15))))
	add("ciphertext of 17 bytes", bad, n.with(n.ratchet, n.index, forge.Bytes(forge.TagCiphertext, make([]byte, 17))))
	add("ratchet key of 31 bytes", bad, n.with(forge.Bytes(forge.TagRatchetKey, key[:31]), n.index, n.encrypted))
	add("ratchet key of 33 bytes", bad, n.with(forge.Bytes(forge.TagRatchetKey, append(append([]byte(nil), key...), 0)), n.index, n.encrypted))
	add("empty ratchet key", bad, n.with(forge.Bytes(forge.TagRatchetKey, nil), n.index, n.encrypted))
	for _, keep := range []int{1, 2, 8, 9, 35, len(whole) - 9, len(whole) - 8} {
		add(fmt.Sprintf("cut after %d of %d bytes", keep, len(whole)), bad, whole[:keep])
	}
	add("version and MAC only", bad, n.with())
}

func sealTrials(n normal, add adder, stricter stricterAdder) {
	whole := n.whole()
	for _, version := range []byte{0, 1, 2, 4, 0x33, 0xff} {
		body := n.keys.Seal(forge.Body(version, n.ratchet, n.index, n.encrypted))
		add(fmt.Sprintf("version %d", version), interop.WrongVersion, body)
	}
	for _, at := range []int{1, 8} {
		body := append([]byte(nil), whole...)
		body[len(body)-at] ^= 0x80
		add(fmt.Sprintf("MAC's byte %d changed", forge.MACLength-at), interop.WrongMAC, body)
	}
	add("MAC of zeros", interop.WrongMAC, append(append([]byte(nil), whole[:len(whole)-8]...), make([]byte, 8)...))
	add("MAC without the version byte", interop.WrongMAC, append([]byte{forge.Version}, n.keys.Seal(whole[1:len(whole)-8])...))
	gone := n
	gone.index = forge.Varint(forge.TagIndex, 0)
	add("index of a message that was decrypted", interop.KeyGone, gone.whole())
	other := n
	other.index = forge.Varint(forge.TagIndex, uint64(n.number)+1)
	add("another message's index", interop.WrongMAC, other.whole())
	top := n.ratchetKey
	top[31] ^= 0x80
	add("ratchet key with its top bit changed is another chain", interop.UnknownChain, n.with(forge.Bytes(forge.TagRatchetKey, top[:]), n.index, n.encrypted))
	paddingTrials(n, add, stricter)
}

func paddingTrials(n normal, add adder, stricter stricterAdder) {
	blocks := func(last ...byte) []byte {
		b := make([]byte, 32)
		copy(b[32-len(last):], last)
		return n.with(n.ratchet, n.index, forge.Bytes(forge.TagCiphertext, n.keys.EncryptBlocks(b)))
	}
	const why = "libolm looks at the last byte of the padding only"
	stricter("padding of 0", interop.WrongMAC, blocks(0), why)
	stricter("padding of 17", interop.WrongMAC, blocks(17), why)
	add("padding of 33 in 32 bytes", interop.WrongMAC, blocks(33))
	stricter("padding bytes not all equal", interop.WrongMAC, blocks(3, 2, 3), why)
}

// turnTrials are normal messages with a ratchet key that Bob has not seen.
func turnTrials(b bench) []trial {
	var out []trial
	n := normalOf(b.sender, 0, text)
	add := func(name string, want interop.Verdict, body []byte, why string) {
		out = append(out, trial{name: "turn: " + name, setup: answered, typ: 1, body: body, want: want, plaintext: text, stricter: why})
	}
	add("new ratchet key", interop.Accepted, n.whole(), "")
	add("new ratchet key, 1999 further", interop.Accepted, normalOf(b.sender, 1999, text).whole(), "")
	add("new ratchet key, 2000 further", interop.Gap, normalOf(b.sender, 2000, text).whole(), "")
	top := b.sender
	top.Public[31] |= 0x80
	add("new ratchet key with its top bit set, which X25519 ignores", interop.Accepted, normalOf(top, 0, text).whole(), "")
	for _, point := range lowOrder {
		// X25519 is zero, so the chain follows from Bob's root key alone.
		chain, err := hkdf.Key(sha256.New, make([]byte, 32), b.session.RootKey[:], "OLM_RATCHET", 64)
		if err != nil {
			panic(err) // 64 bytes is a length that HKDF can give
		}
		forged := pickle.SenderChain{Public: point.key, ChainKey: [32]byte(chain[32:])}
		add("ratchet key of low order: "+point.name, interop.ZeroSecret, normalOf(forged, 0, text).whole(),
			"libolm takes a shared secret of zeros, which everybody knows")
	}
	return out
}
