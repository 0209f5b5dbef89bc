package ratchet

// multiply is X25519 (RFC 7748, section 5). What is zero then came of a point of low order.
func multiply(out, private, peer *[32]byte) { ladder(out, private, peer) }
