package ratchet

import "filippo.io/edwards25519/field"

// a24 is (A - 2) / 4 of Curve25519: RFC 7748, section 5.
const a24 = 121665

// ladder is X25519 as RFC 7748, section 5, has it, over the field that public already
// links. It is for WebAssembly, where circl's has no assembler to be faster by, and brings
// all of math/big and encoding/asn1 into what a page loads. Like the field it takes as long
// for any key.
func ladder(out, private, peer *[32]byte) {
	k := *private
	k[0] &= 248
	k[31] = k[31]&127 | 64
	var x1, x2, z2, x3, z3 field.Element
	if _, err := x1.SetBytes(peer[:]); err != nil {
		panic("ratchet: 32 bytes were refused") // it fails for other lengths only
	}
	x2.One()
	x3.Set(&x1)
	z3.One()
	swap := 0
	for t := 254; t >= 0; t-- {
		bit := int(k[t/8] >> (t % 8) & 1)
		x2.Swap(&x3, swap^bit)
		z2.Swap(&z3, swap^bit)
		swap = bit
		rung(&x1, &x2, &z2, &x3, &z3)
	}
	x2.Swap(&x3, swap)
	z2.Swap(&z3, swap)
	copy(out[:], x2.Multiply(&x2, z2.Invert(&z2)).Bytes())
	clear(k[:])
}

// rung doubles (x2:z2) and adds it to (x3:z3), which differ by x1.
func rung(x1, x2, z2, x3, z3 *field.Element) {
	var a, b, aa, bb, e, da, cb field.Element
	a.Add(x2, z2)
	b.Subtract(x2, z2)
	aa.Square(&a)
	bb.Square(&b)
	e.Subtract(&aa, &bb)
	cb.Multiply(cb.Add(x3, z3), &b)
	da.Multiply(da.Subtract(x3, z3), &a)
	x3.Square(x3.Add(&da, &cb))
	z3.Multiply(x1, z3.Square(z3.Subtract(&da, &cb)))
	x2.Multiply(&aa, &bb)
	z2.Multiply(&e, z2.Add(&aa, z2.Mult32(&e, a24)))
}
