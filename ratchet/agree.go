//go:build !wasm

package ratchet

import "github.com/cloudflare/circl/dh/x25519"

// multiply is X25519 (RFC 7748, section 5). What is zero then came of a point of low order.
func multiply(out, private, peer *[32]byte) {
	x25519.Shared((*x25519.Key)(out), (*x25519.Key)(private), (*x25519.Key)(peer))
}
