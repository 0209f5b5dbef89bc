package seal

import (
	"bytes"

	"github.com/pawlkv/pawl/internal/secret"
)

// Unlock is what opens a keyring: a passphrase or a raw key. It does not print
// itself. The zero Unlock opens nothing.
type Unlock struct {
	secret.Guard
	kind   kind
	secret secret.Value[[]byte]
	cost   Cost // zero: not chosen
}

// kind names, in the record, how the wrapping key is made.
type kind string

const (
	argon2id kind = "argon2id"
	rawKey   kind = "raw"
)

// Passphrase unlocks with a passphrase of at least one byte. It is copied.
func Passphrase(p []byte) Unlock {
	return Unlock{kind: argon2id, secret: secret.Hide(bytes.Clone(p))}
}

// RawKey unlocks with a random key that is kept elsewhere: in a keychain, or in
// a file of its own.
func RawKey(key [32]byte) Unlock {
	return Unlock{kind: rawKey, secret: secret.Hide(key[:])}
}

// WithCost returns the unlock with the cost of what is written for it. Without it
// that is as recorded so far, or DefaultCost. To a raw key it means nothing, and
// neither to opening, which takes what is recorded.
func (u Unlock) WithCost(c Cost) Unlock {
	u.cost = c
	return u
}

func (u Unlock) empty() bool { return len(u.secret.Reveal()) == 0 }
