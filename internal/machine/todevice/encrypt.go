package todevice

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Errors of encrypting; see package pawl.
var (
	ErrNoSession = errors.New("pawl: no session with this peer: pass one of its one-time keys")
	ErrSelf      = errors.New("pawl: a device has no session with itself")
)

// Encrypted is a message for a peer.
type Encrypted struct {
	Message ratchet.Message
	Session ratchet.SessionID
	Damaged int // records of the peer that were passed over
}

// Encryption chooses the session: a new one with this one-time or fallback key
// of the peer, or, with none, the one that the specification chooses.
type Encryption struct {
	OneTimeKey *ratchet.PublicKey
}

// Encrypt encrypts a plaintext for the device with the identity key peer.
func (m *Messages) Encrypt(ctx context.Context, peer ratchet.PublicKey, plaintext []byte, e Encryption) (Encrypted, error) {
	return txn.Do(ctx, m.account.DB, func(tx *txn.Tx) (Encrypted, error) {
		refs := []txn.Ref{m.account.Ref(), records.Peers.Ref(peer)}
		if e.OneTimeKey == nil || !m.lastFormat().raised {
			refs = append(refs, m.hints.sessionsOf(peer)...)
		}
		if err := tx.Prefetch(refs...); err != nil {
			return Encrypted{}, err
		}
		return m.encrypt(tx, peer, plaintext, e)
	})
}

func (m *Messages) encrypt(tx *txn.Tx, peer ratchet.PublicKey, plaintext []byte, e Encryption) (Encrypted, error) {
	a, err := m.account.Sending(tx)
	if err != nil {
		return Encrypted{}, err
	}
	return m.encryptAs(tx, a, peer, plaintext, e)
}

func (m *Messages) encryptAs(tx *txn.Tx, a account.Account, peer ratchet.PublicKey, plaintext []byte, e Encryption) (Encrypted, error) {
	s, err := m.begin(tx, a, peer, e)
	if err != nil {
		return Encrypted{}, err
	}
	message, err := s.encrypt(m.account.Store.Rand, tx.Probe(), plaintext)
	if err != nil {
		return Encrypted{}, err
	}
	return Encrypted{message, s.session.ID(), len(s.contact.Damages())}, m.keep(tx, a, s)
}

// sending is a message on its way from what the store has to what it will have: begin
// reads, encrypt computes, and keep writes.
type sending struct {
	contact records.Contact
	session session.Session // before the message, then after it
	at      session.Moment
	opened  bool // for this message
}

// begin reads the peer, and chooses or opens the session.
func (m *Messages) begin(tx *txn.Tx, a account.Account, peer ratchet.PublicKey, e Encryption) (s sending, err error) {
	if s.contact, err = m.recipient(tx, a, peer, e); err != nil {
		return s, err
	}
	s.at, s.opened = session.Moment{Time: m.account.Store.Now()}, e.OneTimeKey != nil
	if s.opened || !a.Raised() {
		if s.at, err = m.moment(tx, a, s.contact, 0); err != nil { // only a new session has an order
			return s, err
		}
	}
	probe := tx.Probe()
	began := probe.Begin()
	s.session, err = m.sender(a, s.contact, e, s.at)
	probe.End(txn.Computing, began)
	return s, err
}

// encrypt takes the session's next step. It needs nothing but the session.
func (s *sending) encrypt(rand io.Reader, probe *txn.Probe, plaintext []byte) (ratchet.Message, error) {
	state, err := s.session.Ratchet()
	if err != nil {
		return ratchet.Message{}, err
	}
	began := probe.Begin()
	next, message, err := state.Encrypt(rand, plaintext)
	probe.End(txn.Computing, began)
	if err == nil {
		s.session = s.session.Sent(next, s.at.Time)
	}
	return message, err
}

// keep stores the session as it is after the message.
func (m *Messages) keep(tx *txn.Tx, a account.Account, s sending) (err error) {
	if s.opened {
		err = m.add(tx, a, s.contact, s.session)
	} else {
		err = store(tx, a, s.contact, s.session)
	}
	m.hints.used(s.session)
	return err
}

// store stores the session that was sent in. A stranger is none from then on.
func store(tx *txn.Tx, a account.Account, c records.Contact, s session.Session) error {
	if a.Raised() && c.Standing() == session.Stranger {
		if err := records.Peers.Put(tx, c.Peer.Rated(session.Acquainted)); err != nil {
			return err
		}
	}
	return records.Sessions.Put(tx, s)
}

// recipient reads what is needed of a peer: all of its sessions to choose one,
// and for a new one, whose order needs none, the peer's record.
func (m *Messages) recipient(tx *txn.Tx, a account.Account, peer ratchet.PublicKey, e Encryption) (records.Contact, error) {
	if a.Raised() && e.OneTimeKey != nil {
		return records.ReadPeer(tx, peer)
	}
	return m.contact(tx, peer)
}

// sender returns the session to encrypt with: a new one, not yet stored, or
// the one that the specification chooses of those that can be read.
func (m *Messages) sender(a account.Account, c records.Contact, e Encryption, at session.Moment) (session.Session, error) {
	if a.Identity() == c.Peer.Identity() {
		return session.Session{}, ErrSelf
	}
	if c.Lost != nil {
		return session.Session{}, c.Lost
	}
	if e.OneTimeKey != nil {
		return a.OpenOutbound(m.account.Store.Rand, c.Peer.Identity(), *e.OneTimeKey, at)
	}
	s, ok := session.Choose(c.Sessions)
	switch {
	case ok:
		return s, nil
	case len(c.Broken) > 0:
		return s, fmt.Errorf("%w (%d cannot be read: %w)", ErrNoSession, len(c.Broken), c.Broken[0].Err)
	}
	return s, ErrNoSession
}
