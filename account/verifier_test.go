package account

import (
	"crypto/ed25519"
	"errors"
	"math/big"
	"slices"
	"testing"

	"filippo.io/edwards25519"
	"pgregory.net/rapid"
)

// sameAnswer fails unless Verify and the key's Verifier give one answer, and returns it.
func sameAnswer(t interface {
	Helper()
	Fatalf(string, ...any)
}, key VerifyKey, message []byte, sig Signature) error {
	t.Helper()
	want := Verify(key, message, sig)
	v := key.Verifier()
	for range 2 { // a Verifier does not change
		if got := v.Verify(message, sig); !errors.Is(got, want) || !errors.Is(want, got) {
			t.Fatalf("key %v, signature %v: Verifier says %v, Verify %v", key, sig, got, want)
		}
	}
	if v.Key() != key {
		t.Fatalf("the Verifier of %v is of %v", key, v.Key())
	}
	return want
}

// TestVerifierOfRandomKeysAndSignatures: signatures that are good, changed in a bit of
// the signature, the key or the message, of another key, with S + L, and noise.
func TestVerifierOfRandomKeysAndSignatures(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		signer := SeedSigningKey(seedOf(t))
		key, message := signer.Public(), rapid.SliceOf(rapid.Byte()).Draw(t, "message")
		sig := signer.Sign(message)
		if err := sameAnswer(t, key, message, sig); err != nil {
			t.Fatalf("a good signature: %v", err)
		}
		refused := func(what string, key VerifyKey, message []byte, sig Signature) {
			if err := sameAnswer(t, key, message, sig); !errors.Is(err, ErrSignature) {
				t.Fatalf("%s: %v, want ErrSignature", what, err)
			}
		}
		bit := rapid.IntRange(0, 8*len(sig)-1).Draw(t, "bit")
		changed := sig
		changed[bit/8] ^= 1 << (bit % 8)
		refused("a changed signature", key, message, changed)
		other := key
		other[bit/8%32] ^= 1 << (bit % 8)
		refused("a changed key", other, message, sig)
		refused("a longer message", key, append(slices.Clone(message), 0), sig)
		refused("S + L", key, message, plusOrder(sig))
		var noise Signature
		copy(noise[:], rapid.SliceOfN(rapid.Byte(), 64, 64).Draw(t, "noise"))
		refused("noise", VerifyKey(noise[:32]), message, noise)
	})
}

func plusOrder(sig Signature) Signature {
	s := slices.Clone(sig[32:])
	slices.Reverse(s)
	sum := new(big.Int).Add(new(big.Int).SetBytes(s), groupOrder())
	copy(sig[32:], littleEndian(sum))
	return sig
}

// TestVerifierOfOddPoints: every encoding of a point of low order and every encoding
// that is not canonical, as key and as R, with S of 0 and S that makes the equation
// hold; and keys and R with a part of low order, where with and without cofactor
// differ.
func TestVerifierOfOddPoints(t *testing.T) {
	signer := SeedSigningKey([32]byte{7})
	good := new(edwards25519.Point)
	if _, err := good.SetBytes(signer.public[:]); err != nil {
		t.Fatal(err)
	}
	scalar := signer.expanded.Peek().scalar()
	points := [][32]byte{signer.public}
	for _, low := range lowOrderPoints(t) {
		points = append(points, encodings(low)...)
		points = append(points, [32]byte(new(edwards25519.Point).Add(good, low).Bytes()))
	}
	for i := range 19 { // y = 2^255-19 .. 2^255-1
		e := [32]byte(slices.Repeat([]byte{0xff}, 32))
		e[0] = byte(0xed + i)
		points = append(points, e)
		e[31] = 0x7f
		points = append(points, e)
	}
	lenient, equations := 0, 0
	for _, key := range points {
		for _, r := range points {
			for _, text := range []string{"a", "b"} {
				message := []byte(text)
				k := hashToScalar(r[:], key[:], message)
				zero := edwards25519.NewScalar()
				// R = A and S = (1+k)a, R of low order and S = ka, A of low order and S = a.
				fits := [...]*edwards25519.Scalar{
					zero, scalar,
					edwards25519.NewScalar().Multiply(k, scalar), edwards25519.NewScalar().MultiplyAdd(k, scalar, scalar),
				}
				for _, s := range fits {
					sig := Signature(slices.Concat(r[:], s.Bytes()))
					if sameAnswer(t, key, message, sig) == nil {
						equations++
					} else if ed25519.Verify(key[:], message, sig[:]) {
						lenient++
					}
				}
			}
		}
	}
	// So that the loop above shows something.
	if lenient == 0 || equations == 0 {
		t.Errorf("%d good signatures, %d that only the standard library takes: want some of both", equations, lenient)
	}
}

func TestVerifierOfNothing(t *testing.T) {
	message := []byte("m")
	sig := SeedSigningKey([32]byte{7}).Sign(message)
	for name, v := range map[string]*Verifier{"nil": nil, "zero": {}, "of the zero key": VerifyKey{}.Verifier()} {
		if err := v.Verify(message, sig); !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v, want ErrSignature", name, err)
		}
		if v.Key() != (VerifyKey{}) {
			t.Errorf("%s has key %v", name, v.Key())
		}
	}
}
