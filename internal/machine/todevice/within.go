package todevice

import (
	"encoding/json"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// What follows encrypts within a transaction of the caller's, so that the ratchet
// step commits with the body of the request that carries the message. The account
// is what [machine.Account.Sending] returned in that transaction.

// Each is what one device takes of a commit in which it is encrypted for, at most:
// its peer and all of its sessions are read, of which one, and where we wrote to a
// stranger the peer, are written.
var Each = machine.Share{Bytes: 9 << 10, Writes: 2, Checks: 1 + session.MaxPerPeer}

// Opening is what opening a session takes of a commit, at most: where the peer has
// too many, one is pruned or set aside for it.
var Opening = machine.Share{Bytes: 18 << 10, Writes: 5, Checks: 2 + session.MaxPerPeer}

// Prefetch reads peers and their sessions in two round trips, one if this process
// has met them.
func (m *Messages) Prefetch(tx *txn.Tx, peers ...ratchet.PublicKey) error {
	var refs []txn.Ref
	for _, p := range peers {
		refs = append(append(refs, records.Peers.Ref(p)), m.hints.sessionsOf(p)...)
	}
	if err := tx.Prefetch(refs...); err != nil {
		return err
	}
	if err := records.Peers.Open(tx, peers...); err != nil {
		return err
	}
	refs = refs[:0]
	var sessions []records.SessionName
	var strangers []ratchet.PublicKey
	for _, p := range peers {
		names, stranger, err := second(tx, p)
		if err != nil {
			return err
		}
		if stranger {
			strangers = append(strangers, p)
		}
		for _, name := range names {
			sessions, refs = append(sessions, name), append(refs, records.Sessions.Ref(name))
		}
	}
	if err := records.Prefetch(tx, refs, strangers...); err != nil {
		return err
	}
	return records.Sessions.Open(tx, sessions...)
}

// CanSend reports whether there is a session with the peer to send in. If it is
// damage that leaves none, the error says which; where it is the peer's own record,
// none can be opened either.
func (m *Messages) CanSend(tx *txn.Tx, peer ratchet.PublicKey) (bool, error) {
	return m.CanSendSince(tx, peer, 0)
}

// CanSendSince is CanSend for a session that was opened, or in which the peer was
// heard, after an order; 0: whenever.
func (m *Messages) CanSendSince(tx *txn.Tx, peer ratchet.PublicKey, after session.Order) (bool, error) {
	c, err := m.contact(tx, peer)
	if err != nil {
		return false, err
	}
	if c.Lost != nil {
		return false, c.Lost
	}
	s, ok := session.Choose(c.Sessions)
	return ok && (after == 0 || max(s.CreatedIn(), s.ReceivedIn()) > after), nil
}

// Contact returns a peer with its sessions, damage noted in it and told.
func (m *Messages) Contact(tx *txn.Tx, peer ratchet.PublicKey) (records.Contact, error) {
	return m.contact(tx, peer)
}

// EncryptIn encrypts an event for a device, in the session that the specification
// chooses, and returns the content of the m.room.encrypted that carries it. Its
// payload says who sends it and who it is for. Own is the account's device keys, as
// [account.Account.DeviceKeys] returns them or with more signatures; those of the
// other device are as its record has them.
//
// It fails with ErrNoSession, ErrSelf, ratchet.ErrExhausted, kv.ErrCorrupt (the
// peer's record is damaged) or canonicaljson.ErrType (the content is no object).
func (m *Messages) EncryptIn(tx *txn.Tx, v account.Account, to device.Keys, own json.RawMessage, eventType string, content json.RawMessage) (json.RawMessage, ratchet.SessionID, error) {
	e, err := NewEvent(v, own, eventType, content)
	if err != nil {
		return nil, ratchet.SessionID{}, err
	}
	defer e.Wipe()
	s, err := m.Begin(tx, v, to)
	if err != nil {
		return nil, ratchet.SessionID{}, err
	}
	if err := s.Encrypt(e); err != nil {
		return nil, ratchet.SessionID{}, err
	}
	return s.Content, s.Session(), s.Keep(tx)
}

// Sending is an event on its way to a device, as EncryptIn takes it there. Where it
// goes to many, what the transaction does, one after the other, and what computes,
// which it may do for all at once, are apart.
type Sending struct {
	To      device.Keys
	Content json.RawMessage // of the m.room.encrypted, when it is encrypted

	of    *Messages
	v     account.Account
	probe *txn.Probe
	sending
}

// Begin reads what is needed to send to a device, and fails with ErrNoSession, ErrSelf
// or kv.ErrCorrupt (the peer's record is damaged).
func (m *Messages) Begin(tx *txn.Tx, v account.Account, to device.Keys) (Sending, error) {
	s, err := m.begin(tx, v, to.Curve25519, Encryption{})
	return Sending{To: to, of: m, v: v, probe: tx.Probe(), sending: s}, err
}

// Encrypt encrypts an event, which may go to other devices too. It neither reads nor
// writes anything, so that several may be encrypted at the same time. It fails with
// ratchet.ErrExhausted.
func (s *Sending) Encrypt(e Event) error {
	plaintext, err := e.plaintext(s.To)
	if err != nil {
		return err
	}
	defer clear(plaintext)
	message, err := s.encrypt(s.of.account.Store.Rand, s.probe, plaintext)
	if err != nil {
		return err
	}
	s.Content = encryptedEvent(s.v.Identity(), s.To.Curve25519, message)
	return nil
}

// Writes returns how many records Keep writes.
func (s *Sending) Writes() int {
	if s.v.Raised() && s.contact.Standing() == session.Stranger {
		return 2
	}
	return 1
}

// Keep stores that the message was encrypted.
func (s *Sending) Keep(tx *txn.Tx) error { return s.of.keep(tx, s.v, s.sending) }

// Session is that which the message is in.
func (s *Sending) Session() ratchet.SessionID { return s.session.ID() }

// OpenOutbound stores a new session with a peer, opened with one of its one-time or
// fallback keys, whose signature the caller has verified. Place is that of the
// session in its commit, 0 to record.Places-1, another for each.
//
// It fails with ErrSelf, account.ErrRetired, ratchet.ErrZeroSecret, session.ErrKnown
// or kv.ErrCorrupt (the peer's record is damaged).
func (m *Messages) OpenOutbound(tx *txn.Tx, v account.Account, peer, key ratchet.PublicKey, place int) (ratchet.SessionID, error) {
	e := Encryption{OneTimeKey: &key}
	c, err := m.recipient(tx, v, peer, e)
	if err != nil {
		return ratchet.SessionID{}, err
	}
	at, err := m.moment(tx, v, c, place)
	if err != nil {
		return ratchet.SessionID{}, err
	}
	s, err := m.sender(v, c, e, at)
	if err != nil {
		return ratchet.SessionID{}, err
	}
	m.hints.used(s)
	return s.ID(), m.add(tx, v, c, s)
}
