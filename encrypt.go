package pawl

import (
	"context"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Encrypted is a message for a peer.
type Encrypted struct {
	Message ratchet.Message
	Session ratchet.SessionID
}

// EncryptOption changes how Encrypt chooses its session.
type EncryptOption func(*encryption)

type encryption struct {
	oneTimeKey *ratchet.PublicKey
}

// WithOneTimeKey makes Encrypt open a new session with a one-time or fallback
// key of the peer, whose signature the caller has verified.
func WithOneTimeKey(key ratchet.PublicKey) EncryptOption {
	return func(e *encryption) { e.oneTimeKey = &key }
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
	return txn.Do(ctx, m.db, func(tx *txn.Tx) (Encrypted, error) {
		refs := []txn.Ref{m.accountRef(), peers.Ref(peer)}
		if err := tx.Prefetch(append(refs, m.hints.of(peer)...)...); err != nil {
			return Encrypted{}, err
		}
		return m.encrypt(tx, peer, plaintext, e)
	})
}

func (m *Machine) encrypt(tx *txn.Tx, peer ratchet.PublicKey, plaintext []byte, e encryption) (Encrypted, error) {
	a, err := m.sending(tx)
	if err != nil {
		return Encrypted{}, err
	}
	c, err := m.contact(tx, peer)
	if err != nil {
		return Encrypted{}, err
	}
	now := session.NextStamp(m.now(), c.stamps(a)...).Time()
	probe := tx.Probe()
	began := probe.Begin()
	s, err := m.sender(a, c, e, now)
	probe.End(txn.Computing, began)
	if err != nil {
		return Encrypted{}, err
	}
	state, err := s.Ratchet()
	if err != nil {
		return Encrypted{}, err
	}
	began = probe.Begin()
	next, message, err := state.Encrypt(m.store.opts.rand, plaintext)
	probe.End(txn.Computing, began)
	if err != nil {
		return Encrypted{}, err
	}
	s = s.Sent(next, now)
	if e.oneTimeKey != nil {
		err = m.add(tx, c, s)
	} else {
		err = sessions.Put(tx, s)
	}
	return Encrypted{message, s.ID()}, err
}

// sender returns the session to encrypt with: a new one, not yet stored, or
// the one that the specification chooses.
func (m *Machine) sender(a account.Account, c contact, e encryption, now time.Time) (session.Session, error) {
	if a.Identity() == c.peer.Identity() {
		return session.Session{}, ErrSelf
	}
	if e.oneTimeKey != nil {
		return a.OpenOutbound(m.store.opts.rand, c.peer.Identity(), *e.oneTimeKey, now)
	}
	s, ok := session.Choose(c.sessions)
	if !ok {
		return s, ErrNoSession
	}
	return s, nil
}
