package account

import (
	"io"

	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// OpenOutbound returns a new session to the device with identity key peer,
// opened with one of its one-time or fallback keys. The caller has verified
// that key's signature. It reads 64 bytes from rand and fails with
// [ErrRetired], [ratchet.ErrZeroSecret] or rand's error.
func (a Account) OpenOutbound(rand io.Reader, peer, oneTimeKey ratchet.PublicKey, at session.Moment) (session.Session, error) {
	if err := a.checkActive(); err != nil {
		return session.Session{}, err
	}
	r, err := ratchet.NewOutbound(rand, a.identity, peer, oneTimeKey)
	if err != nil {
		return session.Session{}, err
	}
	return session.New(r, peer, session.Outbound, at), nil
}

// Inbound is what opening a session for a pre-key message changes. Session and
// Key must be stored together or not at all, and the plaintext released only
// after that.
type Inbound struct {
	secret.Guard
	Session   session.Session   // after the message within decrypted
	Key       otk.Key           // a tombstone, or the fallback key unchanged
	Plaintext ratchet.Plaintext // of the message within
}

// OpenInbound opens the session of a pre-key message from sender with the one
// of our keys that it names, and decrypts the message within. It is for a
// message whose session is not known: others go to [ratchet.Session.Decrypt].
//
// A session that a key of before the last recovery opens only receives, and so
// does one that is opened before a recovery that is needed: the message may have
// come before, and have been answered, in the time that was lost.
//
// It fails with [ErrRetired], [SenderError], [ErrOneTimeKey],
// [otk.UsedError] (whose session the message may belong to),
// [ratchet.ErrZeroSecret], or what decrypting fails with. The key is then as
// good as before.
func (a Account) OpenInbound(key otk.Key, sender ratchet.PublicKey, m ratchet.PreKeyMessage, at session.Moment) (Inbound, error) {
	pair, err := a.checkPreKey(key, sender, m)
	if err != nil {
		return Inbound{}, err
	}
	fresh, err := ratchet.NewInbound(a.identity, pair, m)
	if err != nil {
		return Inbound{}, err
	}
	next, plaintext, err := fresh.Decrypt(m.Normal)
	if err != nil {
		return Inbound{}, err
	}
	key, err = key.Use(next.ID(), at)
	if err != nil {
		return Inbound{}, err
	}
	s := session.New(next, sender, originOf(key), at).Received(next, at)
	if a.mayHaveUsed(key) {
		s = s.StopSending()
	}
	return Inbound{Session: s, Key: key, Plaintext: plaintext}, nil
}

// checkPreKey makes the checks that need no computation and returns the pair of
// key.
func (a Account) checkPreKey(key otk.Key, sender ratchet.PublicKey, m ratchet.PreKeyMessage) (ratchet.KeyPair, error) {
	if err := a.checkActive(); err != nil {
		return ratchet.KeyPair{}, err
	}
	if m.IdentityKey != sender {
		return ratchet.KeyPair{}, &SenderError{Claimed: sender, Message: m.IdentityKey}
	}
	if m.OneTimeKey != key.Public() {
		return ratchet.KeyPair{}, ErrOneTimeKey
	}
	return key.Pair()
}

func originOf(key otk.Key) session.Origin {
	if key.Fallback() {
		return session.WithFallbackKey
	}
	return session.WithOneTimeKey
}

// mayHaveUsed reports that a session which the key opens may be one that it
// opened before, in a time that is lost.
func (a Account) mayHaveUsed(key otk.Key) bool {
	_, needed := a.NeedsRecovery()
	return needed || key.ID() < a.lineage.KeysFrom
}
