//go:build libolm

package main

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/forge"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
)

// point is a public key.
type point struct {
	name string
	key  [32]byte
}

// lowOrder are the u coordinates with which X25519 is zero for every private
// key, as far as 32 bytes can spell them.
var lowOrder = []point{
	{"0", unhex("0000000000000000000000000000000000000000000000000000000000000000")},
	{"1", unhex("0100000000000000000000000000000000000000000000000000000000000000")},
	{"order 8", unhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")},
	{"order 8, the other", unhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")},
	{"p-1", unhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")},
	{"p", unhex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")},
	{"p+1", unhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")},
	{"0 with the top bit set", unhex("0000000000000000000000000000000000000000000000000000000000000080")},
}

func unhex(s string) [32]byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err) // a literal of this file
	}
	return [32]byte(b)
}

// preKey is a well-formed pre-key message in parts.
type preKey struct {
	oneTime, base, identity, message []byte // whole fields
}

func preKeyOf(b bench, base [32]byte, inner []byte) preKey {
	return preKey{
		oneTime:  forge.Bytes(forge.TagOneTimeKey, b.account.OneTimeKeys[0].Public[:]),
		base:     forge.Bytes(forge.TagBaseKey, base[:]),
		identity: forge.Bytes(forge.TagIdentityKey, b.d.alice.IdentityPublic[:]),
		message:  forge.Bytes(forge.TagMessage, inner),
	}
}

func (p preKey) with(fields ...[]byte) []byte { return forge.Body(forge.Version, fields...) }

func (p preKey) whole() []byte { return p.with(p.oneTime, p.base, p.identity, p.message) }

// preKeyTrials are pre-key messages to Bob who has no session.
func preKeyTrials(b bench) []trial {
	var out []trial
	add := func(name string, want interop.Verdict, body []byte) {
		out = append(out, trial{name: "pre-key: " + name, setup: fresh, typ: 0, body: body, want: want, plaintext: text})
	}
	stricter := func(name string, want interop.Verdict, body []byte, why string) {
		add(name, want, body)
		out[len(out)-1].stricter = why
	}
	base := b.baseKey()
	n := normalOf(b.sender, 0, text)
	p := preKeyOf(b, base, n.whole())
	preKeyOrderTrials(p, add, stricter)
	preKeySizeTrials(b, p, n, base, add)
	add("inner message of version 4", interop.WrongVersion,
		preKeyOf(b, base, n.keys.Seal(forge.Body(4, n.ratchet, n.index, n.encrypted))).whole())
	stricter("version 4", interop.WrongVersion, forge.Body(4, p.oneTime, p.base, p.identity, p.message), "libolm looks at the version of the inner message only")
	tampered := n.whole()
	tampered[len(tampered)-1] ^= 1
	add("inner message with a wrong MAC", interop.WrongMAC, preKeyOf(b, base, tampered).whole())
	otherBase := base
	otherBase[0] ^= 1
	add("another base key", interop.WrongMAC, preKeyOf(b, otherBase, n.whole()).whole())
	add("a normal message", interop.Malformed, n.whole())
	add("2000 ahead", interop.Accepted, preKeyOf(b, base, normalOf(b.sender, 1999, text).whole()).whole())
	add("2001 ahead", interop.Gap, preKeyOf(b, base, normalOf(b.sender, 2000, text).whole()).whole())
	lowOrderTrials(b, stricter, add)
	return out
}

// baseKey is the base key of Alice's session.
func (b bench) baseKey() [32]byte {
	state, err := b.d.session["alice"].State()
	if err != nil {
		panic(err) // libolm cannot fail to pickle a session it has
	}
	return state.BaseKey
}

func preKeyOrderTrials(p preKey, add adder, stricter stricterAdder) {
	ok := interop.Accepted
	wrong := make([]byte, 32)
	add("as libolm writes it", ok, p.whole())
	add("as goolm writes it, identity key before base key", ok, p.with(p.oneTime, p.identity, p.base, p.message))
	add("fields in reverse order", ok, p.with(p.message, p.identity, p.base, p.oneTime))
	add("unknown fields", ok, p.with(forge.Varint(0x28, 1), p.oneTime, p.base, forge.Bytes(0x32, []byte("?")), p.identity, p.message, forge.Varint(0x38, 0)))
	add("identity key twice, the last counts", ok, p.with(forge.Bytes(forge.TagIdentityKey, wrong), p.oneTime, p.base, p.identity, p.message))
	add("inner message twice, the last counts", ok, p.with(p.oneTime, p.base, p.identity, forge.Bytes(forge.TagMessage, []byte{3}), p.message))
	stricter("field of wire type 5", interop.Malformed, p.with(p.oneTime, p.base, p.identity, p.message, []byte{0x2d, 0, 0, 0, 0}), "libolm stops reading there")
	stricter("field number 0 at the end", interop.Malformed, p.with(p.oneTime, p.base, p.identity, p.message, []byte{0, 0}), "protobuf has no field 0")
	stricter("one byte too many", interop.Malformed, append(p.whole(), 0x28), "libolm stops reading there")
}

func preKeySizeTrials(b bench, p preKey, n normal, base [32]byte, add adder) {
	bad := interop.Malformed
	whole := p.whole()
	add("no one-time key", bad, p.with(p.base, p.identity, p.message))
	add("no base key", bad, p.with(p.oneTime, p.identity, p.message))
	add("no identity key", bad, p.with(p.oneTime, p.base, p.message))
	add("no inner message", bad, p.with(p.oneTime, p.base, p.identity))
	add("empty inner message", bad, p.with(p.oneTime, p.base, p.identity, forge.Bytes(forge.TagMessage, nil)))
	add("one-time key of 31 bytes", bad, p.with(forge.Bytes(forge.TagOneTimeKey, p.oneTime[2:33]), p.base, p.identity, p.message))
	add("base key of 33 bytes", bad, p.with(p.oneTime, forge.Bytes(forge.TagBaseKey, append(p.base[2:len(p.base):len(p.base)], 0)), p.identity, p.message))
	add("identity key of 0 bytes", bad, p.with(p.oneTime, p.base, forge.Bytes(forge.TagIdentityKey, nil), p.message))
	add("inner message without an index", bad, preKeyOf(b, base, n.with(n.ratchet, n.encrypted)).whole())
	for _, keep := range []int{1, 3, 34, 103, len(whole) - 1} {
		add(fmt.Sprintf("cut after %d of %d bytes", keep, len(whole)), bad, whole[:keep])
	}
}

// lowOrderTrials are messages that anybody could have made: with keys of low
// order every shared secret is known.
func lowOrderTrials(b bench, stricter stricterAdder, add adder) {
	chain, err := hkdf.Key(sha256.New, make([]byte, 96), nil, "OLM_ROOT", 64)
	if err != nil {
		panic(err) // 64 bytes is a length that HKDF can give
	}
	n := normalOf(pickle.SenderChain{Public: b.sender.Public, ChainKey: [32]byte(chain[32:])}, 0, text)
	for _, point := range lowOrder {
		p := preKeyOf(b, point.key, n.whole())
		p.identity = forge.Bytes(forge.TagIdentityKey, point.key[:])
		stricter("base and identity key of low order: "+point.name, interop.ZeroSecret, p.whole(),
			"libolm accepts a message that anybody can make in the name of this key")
	}
	p := preKeyOf(b, lowOrder[0].key, n.whole())
	add("only the base key of low order", interop.ZeroSecret, p.whole())
	p = preKeyOf(b, b.baseKey(), n.whole())
	p.identity = forge.Bytes(forge.TagIdentityKey, lowOrder[0].key[:])
	add("only the identity key of low order", interop.ZeroSecret, p.whole())
}

// secondPreKeyTrials are pre-key messages to Bob who has the session already.
func secondPreKeyTrials(b bench) []trial {
	n := normalOf(b.sender, 0, text)
	p := preKeyOf(b, b.session.BaseKey, n.whole())
	first := b.steps[0].Body
	return []trial{
		{name: "second pre-key: the next message", setup: opened, typ: 0, body: p.whole(), want: interop.Accepted, plaintext: text},
		{name: "second pre-key: the first message again", setup: opened, typ: 0, body: first, want: interop.KeyGone},
		{name: "second pre-key: cut", setup: opened, typ: 0, body: p.whole()[:100], want: interop.Malformed},
	}
}
