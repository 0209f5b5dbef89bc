package pawl

import (
	"context"

	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/ratchet"
)

// Encrypted is a message for a peer.
type Encrypted struct {
	Message ratchet.Message
	Session ratchet.SessionID
	// Damaged counts the records of the peer that cannot be read: the message
	// was made without them. See [Machine.Check].
	Damaged int
}

// Sessions returns the sessions with the device that has the identity key peer, the one
// that Encrypt would use first. Those that cannot be read are left out. It fails with
// ErrNoAccount, and with kv.ErrCorrupt if nobody knows which sessions there are.
func (m *Machine) Sessions(ctx context.Context, peer ratchet.PublicKey) ([]SessionInfo, error) {
	all, err := m.messages.Sessions(ctx, peer)
	return convert(all, func(s records.SessionInfo) SessionInfo { return SessionInfo(s) }), err
}

// EncryptOption changes how Encrypt chooses its session.
type EncryptOption func(*encryption)

type encryption = todevice.Encryption

// WithOneTimeKey makes Encrypt open a new session with a one-time or fallback
// key of the peer, whose signature the caller has verified.
func WithOneTimeKey(key ratchet.PublicKey) EncryptOption {
	return func(e *encryption) { e.OneTimeKey = &key }
}

// Encrypt encrypts a plaintext for the device with the identity key peer, in
// the session that most recently received a message (Matrix specification,
// m.olm.v1.curve25519-aes-sha2), or in a new one. The message is returned only
// after the step that made it is durable.
//
// It fails with ErrNoSession, ErrSelf, account.ErrRetired, ErrNeedsRecovery
// (the store went back in time), ratchet.ErrZeroSecret (a peer's key is of low
// order) or ratchet.ErrExhausted.
func (m *Machine) Encrypt(ctx context.Context, peer ratchet.PublicKey, plaintext []byte, opts ...EncryptOption) (Encrypted, error) {
	var e encryption
	for _, set := range opts {
		set(&e)
	}
	made, err := m.messages.Encrypt(ctx, peer, plaintext, e)
	return Encrypted(made), err
}
