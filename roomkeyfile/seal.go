package roomkeyfile

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"hash"

	"github.com/pawlkv/pawl/internal/secret"
)

// Rounds of PBKDF2.
const (
	// Rounds is how many a file gets that is written: about half a second.
	Rounds = 500_000
	// WeakRounds is how many the specification asks for at least. A file with fewer is
	// read, and whoever finds it tries passphrases faster: say so.
	WeakRounds = 100_000
	// MaxRounds is how many are waited for: some 10 seconds.
	MaxRounds = 10_000_000
)

const (
	version   = 1
	saltSize  = 16
	ivSize    = aes.BlockSize
	headSize  = 1 + saltSize + ivSize + 4
	macSize   = sha256.Size
	keysSize  = 64 // of AES-256, then of HMAC-SHA-256
	roundsEnd = headSize
)

// head is what a file begins with.
type head struct {
	salt   [saltSize]byte
	iv     [ivSize]byte
	rounds uint32
}

// append writes what parseHead reads.
func (h head) append(b []byte) []byte {
	b = append(append(append(b, version), h.salt[:]...), h.iv[:]...)
	return binary.BigEndian.AppendUint32(b, h.rounds)
}

// parseHead reads headSize bytes. That the rounds are out of bounds is said at once,
// and not after they were made.
func parseHead(b []byte) (h head, err error) {
	if b[0] != version {
		return h, fmt.Errorf("%w: %d, want %d", ErrVersion, b[0], version)
	}
	copy(h.salt[:], b[1:])
	copy(h.iv[:], b[1+saltSize:])
	h.rounds = binary.BigEndian.Uint32(b[roundsEnd-4 : roundsEnd])
	if h.rounds < 1 || h.rounds > MaxRounds {
		return h, fmt.Errorf("%w: %d, want 1 to %d", ErrRounds, h.rounds, MaxRounds)
	}
	return h, nil
}

// sealing is the two keys of a file.
type sealing struct {
	secret.Guard
	keys secret.Value[[keysSize]byte]
}

// derive makes the keys, for as long as the rounds take.
func derive(passphrase string, h head) (sealing, error) {
	b, err := pbkdf2.Key(sha512.New, passphrase, h.salt[:], int(h.rounds), keysSize)
	if err != nil {
		return sealing{}, fmt.Errorf("roomkeyfile: %w", err) // where only what FIPS 140 has is allowed
	}
	defer clear(b)
	return sealing{keys: secret.Hide([keysSize]byte(b))}, nil
}

// stream returns what encrypts, and decrypts.
func (s sealing) stream(h head) cipher.Stream {
	block, err := aes.NewCipher(s.keys.Peek()[:32])
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	return cipher.NewCTR(block, h.iv[:])
}

// mac returns the HMAC of nothing yet.
func (s sealing) mac() hash.Hash { return hmac.New(sha256.New, s.keys.Peek()[32:]) }
