package seal

import (
	"cmp"
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"

	"golang.org/x/crypto/argon2"
)

// Argon2id as written unless a Cost says otherwise (RFC 9106 section 4 is too large
// for an app extension), and the most that a record may ask for: a hostile one
// must not exhaust memory or time.
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

// paramsFor returns the parameters for an unlock, of which the cost is its own,
// or the one recorded so far, or the default.
func paramsFor(u Unlock, recorded Cost) (params, error) {
	if u.kind == rawKey {
		return params{Kind: rawKey}, nil
	}
	c := cmp.Or(u.cost, recorded, DefaultCost)
	return c.params(), c.Check()
}

// check returns ErrFormat for parameters that are none of the function's, and for
// those that cost too much: a hostile record must not exhaust memory or time.
// Some that this program does not write are accepted: they cost the reader
// nothing, and whoever can write them knows the passphrase.
func (p params) check() error {
	switch p.Kind {
	case rawKey:
		if p == (params{Kind: rawKey}) {
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
