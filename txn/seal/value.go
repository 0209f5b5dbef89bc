package seal

import (
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"hash"
	"slices"
	"sync"

	"github.com/pawlkv/pawl/internal/secret"
	"golang.org/x/crypto/chacha20poly1305"
)

// A sealed value is the byte valueVersion, a nonce, and the ciphertext.
const (
	valueVersion = 1
	valuePrefix  = 1 + chacha20poly1305.NonceSizeX
	// lastVersion is more than there will ever be: above it, a version is
	// damage.
	lastVersion = 15
	// Overhead is by how much a sealed value is longer than its plaintext.
	Overhead = valuePrefix + chacha20poly1305.Overhead
	// blindSize is how many bytes of the keyed hash stand for a name: 2^64
	// names before two are likely to meet.
	blindSize = 16
)

// keys are the data key and what is derived from it.
type keys struct {
	data  [keySize]byte
	aead  cipher.AEAD
	blind *sync.Pool // of *blinder
}

// blinder is a keyed hash and the buffers to use it without allocating.
type blinder struct {
	mac  hash.Hash
	name []byte
	sum  [sha256.Size]byte
	text [22]byte
}

func newKeyring(data [keySize]byte, store StoreID) (Keyring, error) {
	sealKey, err := derive(data[:], nil, labelSeal)
	if err != nil {
		return Keyring{}, err
	}
	blindKey, err := derive(data[:], nil, labelBlind)
	if err != nil {
		return Keyring{}, err
	}
	aead, err := chacha20poly1305.NewX(sealKey[:])
	if err != nil {
		return Keyring{}, fmt.Errorf("seal: %w", err)
	}
	pool := &sync.Pool{New: func() any { return &blinder{mac: hmac.New(sha256.New, blindKey[:])} }}
	return Keyring{store: store, keys: secret.Hide(keys{data, aead, pool})}, nil
}

// Seal appends the sealed plaintext to dst, which may be nil. Only Open with
// the same path opens it.
func (k Keyring) Seal(dst []byte, path string, plaintext []byte) []byte {
	dst = slices.Grow(dst, len(plaintext)+Overhead)
	start := len(dst)
	dst = append(dst, valueVersion)
	dst = dst[:start+valuePrefix]
	nonce := dst[start+1:]
	rand.Read(nonce) // never fails
	return k.keys.Peek().aead.Seal(dst, nonce, plaintext, []byte(path))
}

// Open appends the plaintext of a sealed value to dst, which may be nil. It
// leaves sealed as it is. Errors: ErrDamaged, ErrVersion.
func (k Keyring) Open(dst []byte, path string, sealed []byte) ([]byte, error) {
	if len(sealed) < Overhead {
		return nil, ErrDamaged
	}
	nonce, body := sealed[1:valuePrefix], sealed[valuePrefix:]
	dst = slices.Grow(dst, len(body)-chacha20poly1305.Overhead)
	out, err := k.keys.Peek().aead.Open(dst, nonce, body, []byte(path))
	switch {
	case err == nil && sealed[0] == valueVersion:
		return out, nil
	case err != nil && sealed[0] > valueVersion && sealed[0] <= lastVersion:
		return nil, fmt.Errorf("%w: a value of version %d, this program reads %d", ErrVersion, sealed[0], valueVersion)
	}
	// What opens all the same is ours, with a damaged version.
	clear(out)
	return nil, ErrDamaged
}

// Blind returns 22 characters of base64url that stand for a name: always the
// same for it in this store, and nothing without the keyring.
func (k Keyring) Blind(name string) string {
	pool := k.keys.Peek().blind
	b := pool.Get().(*blinder)
	defer pool.Put(b)
	b.mac.Reset()
	b.name = append(b.name[:0], name...)
	b.mac.Write(b.name)
	sum := b.mac.Sum(b.sum[:0])
	base64.RawURLEncoding.Encode(b.text[:], sum[:blindSize])
	return string(b.text[:])
}
