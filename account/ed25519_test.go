package account

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"filippo.io/edwards25519"
	"pgregory.net/rapid"
)

func seedOf(t *rapid.T) (seed [32]byte) {
	copy(seed[:], rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "seed"))
	return seed
}

// Signatures are those of the standard library, for keys from a seed and for
// the same keys in expanded form.
func TestSignEqualsTheStandardLibrary(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := seedOf(t)
		message := rapid.SliceOf(rapid.Byte()).Draw(t, "message")
		standard := ed25519.NewKeyFromSeed(seed[:])
		want := ed25519.Sign(standard, message)
		expanded := sha512.Sum512(seed[:])
		clamped := expanded
		clamped[0] &= 248
		clamped[31] = clamped[31]&63 | 64
		for name, key := range map[string]SigningKey{
			"seed": SeedSigningKey(seed), "expanded": ExpandedSigningKey(expanded), "clamped": ExpandedSigningKey(clamped),
		} {
			got := key.Sign(message)
			if !bytes.Equal(got[:], want) || !bytes.Equal(key.public[:], standard.Public().(ed25519.PublicKey)) {
				t.Fatalf("%s: signature %v, want %x", name, got, want)
			}
			if err := Verify(key.Public(), message, got); err != nil {
				t.Fatalf("%s: own signature: %v", name, err)
			}
		}
	})
}

// Any changed bit of key, message or signature is noticed.
func TestVerifyNoticesEveryBit(t *testing.T) {
	key := SeedSigningKey([32]byte{1})
	message := []byte("message")
	sig := key.Sign(message)
	for bit := range 8 * len(sig) {
		changed := sig
		changed[bit/8] ^= 1 << (bit % 8)
		if err := Verify(key.Public(), message, changed); !errors.Is(err, ErrSignature) {
			t.Errorf("signature with bit %d changed: %v, want ErrSignature", bit, err)
		}
	}
	for bit := range 256 {
		changed := key.Public()
		changed[bit/8] ^= 1 << (bit % 8)
		if err := Verify(changed, message, sig); !errors.Is(err, ErrSignature) {
			t.Errorf("key with bit %d changed: %v, want ErrSignature", bit, err)
		}
	}
	if err := Verify(key.Public(), []byte("massage"), sig); !errors.Is(err, ErrSignature) {
		t.Errorf("another message: %v, want ErrSignature", err)
	}
	if err := Verify(VerifyKey{}, message, Signature{}); !errors.Is(err, ErrSignature) {
		t.Errorf("zero key and signature: %v, want ErrSignature", err)
	}
	if sig := (SigningKey{}).Sign(message); sig != (Signature{}) {
		t.Error("the zero key signs")
	}
}

// groupOrder is L = 2^252 + 27742317777372353535851937790883648493.
func groupOrder() *big.Int {
	l, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	return l.Add(l, new(big.Int).Lsh(big.NewInt(1), 252))
}

// lowOrderPoints computes the points whose order divides 8: L times any point
// is one.
func lowOrderPoints(t *testing.T) (points []*edwards25519.Point) {
	t.Helper()
	lMinusOne, err := edwards25519.NewScalar().SetCanonicalBytes(littleEndian(new(big.Int).Sub(groupOrder(), big.NewInt(1))))
	if err != nil {
		t.Fatal(err)
	}
	for len(points) < 8 {
		var b [32]byte
		rand.Read(b[:])
		p, err := new(edwards25519.Point).SetBytes(b[:])
		if err != nil {
			continue
		}
		low := new(edwards25519.Point).ScalarMult(lMinusOne, p)
		low.Add(low, p)
		if !slices.ContainsFunc(points, func(q *edwards25519.Point) bool { return q.Equal(low) == 1 }) {
			points = append(points, low)
		}
	}
	return points
}

func littleEndian(n *big.Int) []byte {
	b := n.FillBytes(make([]byte, 32))
	slices.Reverse(b)
	return b
}

// encodings returns all 32-byte strings that a lenient decoder takes for p: y
// and y+2^255-19 where it fits, with both signs where x is 0.
func encodings(p *edwards25519.Point) (out [][32]byte) {
	canonical := p.Bytes()
	sign := canonical[31] & 0x80
	canonical[31] &= 0x7f
	slices.Reverse(canonical)
	y := new(big.Int).SetBytes(canonical)
	prime := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	minus := new(edwards25519.Point).Negate(p)
	for _, value := range []*big.Int{y, new(big.Int).Add(y, prime)} {
		if value.BitLen() > 255 {
			continue
		}
		e := [32]byte(littleEndian(value))
		e[31] |= sign
		out = append(out, e)
		if minus.Equal(p) == 1 { // x = 0
			e[31] ^= 0x80
			out = append(out, e)
		}
	}
	return out
}

func TestLowOrderPointsAreRefused(t *testing.T) {
	all := map[[32]byte]bool{}
	for _, p := range lowOrderPoints(t) {
		for _, e := range encodings(p) {
			all[e] = true
		}
	}
	if len(all) != 14 {
		t.Fatalf("%d encodings of low order, there are 14", len(all))
	}
	honest := SeedSigningKey([32]byte{7})
	for e := range all {
		if isStrict(e) {
			t.Errorf("%x counts as a proper point", e)
		}
		// With S = 0 and R = -kA such a key verifies most messages: try each R of low order.
		for r := range all {
			sig := Signature(append(slices.Clone(r[:]), make([]byte, 32)...))
			for _, message := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
				if err := Verify(VerifyKey(e), []byte(message), sig); !errors.Is(err, ErrSignature) {
					t.Fatalf("key %x signs %q: %v", e, message, err)
				}
			}
		}
		sig := honest.Sign([]byte("m"))
		copy(sig[:32], e[:])
		if err := Verify(honest.Public(), []byte("m"), sig); !errors.Is(err, ErrSignature) {
			t.Errorf("R of low order: %v", err)
		}
	}
}

// A signer may choose R of low order and an S that fits: the equation holds,
// and only the check of R refuses it.
func TestLowOrderRIsRefusedThoughTheEquationHolds(t *testing.T) {
	key := SeedSigningKey([32]byte{7})
	expanded := key.Expanded()
	message := []byte("m")
	R := edwards25519.NewIdentityPoint().Bytes()
	S := edwards25519.NewScalar().Multiply(hashToScalar(R, key.public[:], message), expanded.scalar()).Bytes()
	sig := Signature(append(R, S...))
	if !ed25519.Verify(key.public[:], message, sig[:]) {
		t.Fatal("the standard library refuses it, so this test shows nothing")
	}
	if err := Verify(key.Public(), message, sig); !errors.Is(err, ErrSignature) {
		t.Errorf("%v, want ErrSignature", err)
	}
}

// A key of low order is taken by the standard library for any message.
func TestLowOrderKeyIsRefusedThoughTheEquationHolds(t *testing.T) {
	identity := VerifyKey(edwards25519.NewIdentityPoint().Bytes())
	signer := SeedSigningKey([32]byte{9})
	r := hashToScalar([]byte("any"))
	R := new(edwards25519.Point).ScalarBaseMult(r).Bytes()
	sig := Signature(append(R, r.Bytes()...))
	if !ed25519.Verify(identity[:], []byte("anything"), sig[:]) || signer.Public() == identity {
		t.Fatal("the standard library refuses it, so this test shows nothing")
	}
	if err := Verify(identity, []byte("anything"), sig); !errors.Is(err, ErrSignature) {
		t.Errorf("%v, want ErrSignature", err)
	}
}

func TestNonCanonicalEncodingsAreRefused(t *testing.T) {
	// y = 2^255-19 .. 2^255-1 stand for 0 .. 18.
	for i := range 19 {
		var e [32]byte
		for j := range e {
			e[j] = 0xff
		}
		e[0], e[31] = byte(0xed+i), 0x7f
		for _, sign := range []byte{0, 0x80} {
			e[31] = 0x7f | sign
			if isStrict(e) {
				t.Errorf("%x counts as canonical", e)
			}
		}
	}
	largest := fieldPrime
	largest[0] -= 2 // 2^255-21; one more is -1, of order 2
	if !isStrict(largest) {
		t.Error("2^255-21 does not count as canonical")
	}
	key := SeedSigningKey([32]byte{7})
	sig := key.Sign([]byte("m"))
	s := slices.Clone(sig[32:])
	slices.Reverse(s)
	again := sig
	copy(again[32:], littleEndian(new(big.Int).Add(new(big.Int).SetBytes(s), groupOrder())))
	if err := Verify(key.Public(), []byte("m"), again); !errors.Is(err, ErrSignature) {
		t.Errorf("S + L: %v, want ErrSignature", err)
	}
}

func TestParsing(t *testing.T) {
	key := SeedSigningKey([32]byte{3})
	sig := key.Sign(nil)
	if back, err := ParseVerifyKey(key.Public().String()); err != nil || back != key.Public() {
		t.Errorf("key: %v", err)
	}
	if back, err := ParseSignature(sig.String()); err != nil || back != sig {
		t.Errorf("signature: %v", err)
	}
	text := sig.String()
	for name, bad := range map[string]string{
		"empty": "", "short": text[1:], "padded once": text + "=", "stray byte": text + "A", "line break": text[:85] + "\n",
		"not the alphabet": "*" + text[1:], "inner line break": text[:40] + "\n" + text[41:],
	} {
		if bad == text {
			t.Fatalf("%s is the good one", name)
		}
		if _, err := ParseSignature(bad); !errors.Is(err, ErrSignature) {
			t.Errorf("signature, %s: %v, want ErrSignature", name, err)
		}
		bad = strings.TrimPrefix(bad, text[:43])
		if _, err := ParseVerifyKey(bad); len(bad) != 43 && name != "padded once" && !errors.Is(err, ErrKey) {
			t.Errorf("key, %s: %v, want ErrKey", name, err)
		}
	}
	for _, same := range []string{text + "==", text[:85] + string(text[85]+1)} {
		if back, err := ParseSignature(same); err != nil || back != sig {
			t.Errorf("signature %q: %v, want the same", same, err)
		}
	}
	public := key.Public().String()
	for _, same := range []string{public + "=", public[:42] + string(public[42]+1)} {
		if back, err := ParseVerifyKey(same); err != nil || back != key.Public() {
			t.Errorf("key %q: %v, want the same", same, err)
		}
	}
	for _, bad := range []string{public + "==", public[:42], public[:40] + "===", "-" + public[1:]} {
		if _, err := ParseVerifyKey(bad); !errors.Is(err, ErrKey) {
			t.Errorf("key %q: %v, want ErrKey", bad, err)
		}
	}
}
