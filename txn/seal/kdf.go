package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// Argon2id as written today (OWASP's first choice, RFC 9106 section 4 being too
// large for an app extension), and the most that a record may ask for: a
// hostile one must not exhaust memory or time.
const (
	argonTime      = 2
	argonMemory    = 19 * 1024 // KiB
	argonThreads   = 1
	argonTimeMax   = 16
	argonMemoryMax = 256 * 1024 // KiB
	argonMax       = 4          // threads
	saltSize       = 16
	keySize        = 32
)

// Labels separate the keys derived from one secret.
const (
	labelWrap  = "pawl keyring v1 wrap"
	labelSeal  = "pawl keyring v1 seal"
	labelBlind = "pawl keyring v1 blind"
)

// params are the function that makes the wrapping key, and its parameters.
type params struct {
	Kind    kind
	Time    uint32 // passes; 0 for a raw key
	Memory  uint32 // KiB; 0 for a raw key
	Threads uint8  // 0 for a raw key
}

func paramsFor(k kind) params {
	if k == rawKey {
		return params{Kind: rawKey}
	}
	return params{argon2id, argonTime, argonMemory, argonThreads}
}

// check returns ErrFormat for parameters that this program would not write
// and for those that cost too much.
func (p params) check() error {
	switch p.Kind {
	case rawKey:
		if p == paramsFor(rawKey) {
			return nil
		}
	case argon2id:
		if p.Time >= 1 && p.Time <= argonTimeMax && p.Threads >= 1 && p.Threads <= argonMax &&
			p.Memory >= 8*uint32(p.Threads) && p.Memory <= argonMemoryMax {
			return nil
		}
	}
	return fmt.Errorf("%w: key derivation %q with %d passes, %d KiB, %d threads", ErrFormat, p.Kind, p.Time, p.Memory, p.Threads)
}

// wrappingKey turns what the user gave into the key that wraps the data key.
func (p params) wrappingKey(u Unlock, salt []byte) ([keySize]byte, error) {
	given := u.secret.Reveal()
	if p.Kind == argon2id {
		given = argon2.IDKey(given, salt, p.Time, p.Memory, p.Threads, keySize)
	}
	return derive(given, salt, labelWrap)
}

func derive(from, salt []byte, label string) (key [keySize]byte, err error) {
	out, err := hkdf.Key(sha256.New, from, salt, label, keySize)
	if err != nil {
		return key, fmt.Errorf("seal: derive a key: %w", err)
	}
	return [keySize]byte(out), nil
}
