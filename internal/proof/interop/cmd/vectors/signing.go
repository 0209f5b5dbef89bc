//go:build libolm

package main

import (
	"bytes"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"filippo.io/edwards25519"
	"github.com/pawlkv/pawl/internal/proof/interop"
	"github.com/pawlkv/pawl/internal/proof/interop/pickle"
	libolmc "maunium.net/go/mautrix/crypto/libolm"
)

// Outcomes of the account's files.
const (
	expectValid   = "valid"
	expectInvalid = "invalid"
	expectRefused = "refused"
)

// Signing is a signing key and what it signs.
type Signing struct {
	Name       string      `json:"name"`
	Seed       Hex         `json:"seed"`
	Expanded   Hex         `json:"expanded"`
	Public     Hex         `json:"public"`
	Signatures []Signature `json:"signatures"`
}

// Signature is a message and what verifying it must come to.
type Signature struct {
	Name      string `json:"name"`
	Public    Hex    `json:"public,omitempty"` // where it is not the vector's
	Message   Hex    `json:"message"`
	Signature string `json:"signature"`
	Expect    string `json:"expect"`
}

// device is a libolm account, its state and its seed.
type device struct {
	*libolmc.Account
	state pickle.Account
	seed  []byte
}

var errExpanded = errors.New("the expanded key is not that of the seed")

// newDevice ties libolm's expanded key to the seed that it read.
func newDevice(keys uint) (device, error) {
	var d device
	random, err := interop.RecordRandomness(func() (err error) {
		d.Account, err = libolmc.NewAccount()
		return err
	})
	if err != nil {
		return d, err
	}
	if err := d.GenOneTimeKeys(keys); err != nil {
		return d, err
	}
	const key = "vectors"
	pickled, err := d.Pickle([]byte(key))
	if err != nil {
		return d, err
	}
	raw, err := pickle.Open([]byte(key), pickled)
	if err != nil {
		return d, err
	}
	if d.state, err = pickle.DecodeAccount(raw); err != nil {
		return d, err
	}
	d.seed = random[:32]
	expanded := sha512.Sum512(d.seed)
	expanded[0] &= 0xf8
	expanded[31] = expanded[31]&0x7f | 0x40
	if expanded != d.state.SigningPrivate {
		return d, errExpanded
	}
	return d, nil
}

func (d device) sign(message []byte) (string, error) {
	s, err := d.Sign(message)
	return string(s), err
}

func makeSignatures() (File, error) {
	var vectors []Signing
	for i := range 4 {
		d, err := newDevice(0)
		if err != nil {
			return File{}, err
		}
		v, err := d.signing(i)
		if err != nil {
			return File{}, err
		}
		vectors = append(vectors, v)
	}
	return File{
		Kind:        "ed25519",
		Description: "Ed25519 with keys in the expanded form of libolm's pickles: signatures to be made again byte for byte, and ones that must not verify.",
		Expect:      []string{expectValid, expectInvalid},
		Vectors:     vectors,
	}, nil
}

func (d device) signing(i int) (Signing, error) {
	v := Signing{
		Name: fmt.Sprintf("key %d", i), Seed: d.seed,
		Expanded: d.state.SigningPrivate[:], Public: d.state.SigningPublic[:],
	}
	for _, length := range []int{1, 31, 32, 33, 64, 200} {
		message := make([]byte, length)
		for j := range message {
			message[j] = byte(i + j)
		}
		s, err := d.sign(message)
		if err != nil {
			return v, err
		}
		v.Signatures = append(v.Signatures, Signature{Name: fmt.Sprintf("%d bytes", length), Message: message, Signature: s, Expect: expectValid})
	}
	good := v.Signatures[len(v.Signatures)-1]
	bad, err := d.badSignatures(good)
	v.Signatures = append(v.Signatures, bad...)
	return v, err
}

// badSignatures are variations of a good one, and forgeries with keys of low order.
func (d device) badSignatures(good Signature) ([]Signature, error) {
	raw, err := base64.RawStdEncoding.DecodeString(good.Signature)
	if err != nil {
		return nil, err
	}
	var out []Signature
	add := func(name string, change func(s *Signature, raw []byte)) {
		s, r := good, slices.Clone(raw)
		s.Name, s.Message, s.Expect = name, slices.Clone(good.Message), expectInvalid
		change(&s, r)
		s.Signature = base64.RawStdEncoding.EncodeToString(r)
		out = append(out, s)
	}
	add("message changed", func(s *Signature, _ []byte) { s.Message[0] ^= 1 })
	add("R changed", func(_ *Signature, r []byte) { r[0] ^= 1 })
	add("S changed", func(_ *Signature, r []byte) { r[32] ^= 1 })
	add("S plus the group order", func(_ *Signature, r []byte) { copy(r[32:], addOrder(r[32:])) })
	one := edwards25519.NewIdentityPoint().Bytes()
	r, err := edwards25519.NewScalar().SetUniformBytes(bytes.Repeat([]byte{7}, 64))
	if err != nil {
		return nil, err
	}
	add("key of order 1", func(s *Signature, b []byte) { // S*B = R + k*A for every message
		s.Public = one
		copy(b, new(edwards25519.Point).ScalarBaseMult(r).Bytes())
		copy(b[32:], r.Bytes())
	})
	add("R of order 1", func(s *Signature, b []byte) { // the key's owner can make it, with r = 0
		copy(b, one)
		copy(b[32:], d.signWithoutNonce(one, s.Message))
	})
	add("key and R of order 1", func(s *Signature, b []byte) {
		s.Public = one
		clear(b)
		copy(b, one)
	})
	add("key and R of order 1, not canonical", func(s *Signature, b []byte) {
		key := unhex("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")
		s.Public = key[:]
		clear(b)
		copy(b, key[:])
	})
	return out, nil
}

// signWithoutNonce returns S = k*a.
func (d device) signWithoutNonce(r, message []byte) []byte {
	a, err := edwards25519.NewScalar().SetBytesWithClamping(d.state.SigningPrivate[:32])
	if err != nil {
		panic(err) // it fails for other lengths only
	}
	h := sha512.Sum512(slices.Concat(r, d.state.SigningPublic[:], message))
	k, err := edwards25519.NewScalar().SetUniformBytes(h[:])
	if err != nil {
		panic(err) // it fails for other lengths only
	}
	return a.Multiply(k, a).Bytes()
}

// addOrder adds the order of the group to a little-endian number.
func addOrder(s []byte) []byte {
	order, ok := new(big.Int).SetString("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed", 16)
	if !ok {
		panic("a literal of this file")
	}
	b := slices.Clone(s)
	slices.Reverse(b)
	sum := order.Add(order, new(big.Int).SetBytes(b)).FillBytes(make([]byte, 32))
	slices.Reverse(sum)
	return sum
}
