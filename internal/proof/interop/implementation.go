package interop

import "github.com/pawlkv/pawl/internal/proof/interop/pickle"

// Message is a message on the wire: Type 0 pre-key, 1 normal; Body as bytes.
type Message struct {
	Type int
	Body []byte
}

// Implementation is one way of doing Olm.
type Implementation interface {
	// Name is "pawl", "goolm" or "libolm".
	Name() string
	// NewAccount makes new identity keys.
	NewAccount() (Account, error)
	// RestoreAccount and Restore rebuild what another implementation had.
	RestoreAccount(pickle.Account) (Account, error)
	Restore(pickle.Session) (Session, error)
	// Error is the error, for errors.Is, with which this implementation
	// expresses v; nil where it does not refuse at all.
	Error(v Verdict) error
	// SkippedInAll is how many skipped keys a session keeps over all chains.
	SkippedInAll() int
}

// Account is one device's identity and one-time keys. Keys are unpadded
// base64. An Account is for one goroutine.
type Account interface {
	// IdentityKey is the Curve25519 identity key.
	IdentityKey() string
	// OneTimeKeys makes n one-time keys and returns their public parts.
	OneTimeKeys(n int) ([]string, error)
	// Outbound opens a session to a device.
	Outbound(identityKey, oneTimeKey string) (Session, error)
	// Inbound makes the session that a pre-key message opens, without
	// decrypting it and without using up the one-time key.
	Inbound(from string, m Message) (Session, error)
	// InboundAny is Inbound from whomever the message names.
	InboundAny(m Message) (Session, error)
	// Consume forgets the one-time key that opened s.
	Consume(s Session) error
	// State is the account as libolm would pickle it.
	State() (pickle.Account, error)
}

// Session is one Olm session, for one goroutine.
type Session interface {
	// ID is the session id, unpadded base64.
	ID() string
	// Encrypt makes the next message. libolm and goolm refuse an empty plaintext.
	Encrypt(plaintext []byte) (Message, error)
	// Decrypt decrypts m, a pre-key message of this session or a normal one.
	// When it fails, the session is as before.
	Decrypt(m Message) ([]byte, error)
	// Matches says whether a pre-key message is this session's.
	Matches(from string, m Message) (bool, error)
	// State is the session as libolm would pickle it, skipped keys newest first.
	State() (pickle.Session, error)
}

// All returns every implementation in this build, Pawl first.
func All() []Implementation {
	return append([]Implementation{Pawl{}}, Others()...)
}

// Others returns the implementations that are not Pawl: goolm, and libolm
// with the build tag libolm.
func Others() []Implementation {
	return append([]Implementation{Goolm{}}, libolm()...)
}
