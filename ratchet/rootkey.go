package ratchet

// rootKey is R_i: it turns into the next root key and a fresh chain key each
// time the conversation changes direction.
type rootKey [32]byte

// turn is one step of the root ratchet: our ratchet key against the peer's.
// It fails with [ErrZeroSecret].
func (r *rootKey) turn(ours *[32]byte, peer *PublicKey) (next rootKey, chain [32]byte, err error) {
	shared, err := sharedSecret(ours, peer)
	if err != nil {
		return rootKey{}, chain, err
	}
	next, chain = splitRoot(r[:], shared[:], "OLM_RATCHET")
	return next, chain, nil
}

// splitRoot derives 64 bytes: a root key and the key of the chain under it.
func splitRoot(salt, ikm []byte, info string) (root rootKey, chain [32]byte) {
	var out [2 * keySize]byte
	hkdf(out[:], salt, ikm, info)
	copy(root[:], out[:])
	copy(chain[:], out[keySize:])
	return root, chain
}
