package ratchet

// PublicKey is a Curve25519 public key: an identity key, a one-time key, a
// base key or a ratchet key. Any 32 bytes are one; the ones of low order are
// refused where they are used ([ErrZeroSecret]).
type PublicKey [32]byte

// String returns the key in unpadded base64, 43 characters, as Matrix writes it.
func (k PublicKey) String() string { return encode32((*[32]byte)(&k)) }

// ParsePublicKey reads what String writes and nothing else, else [ErrMalformed].
func ParsePublicKey(s string) (PublicKey, error) {
	b, err := decode32(s, "public key")
	return PublicKey(b), err
}
