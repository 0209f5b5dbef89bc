package session

import (
	"time"

	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/ratchet"
)

// Session is an Olm session with one peer, or the tombstone of a pruned one.
// The zero Session is neither.
type Session struct {
	secret.Guard
	ratchet      ratchet.Session // none in a tombstone
	peer         ratchet.PublicKey
	origin       Origin
	created      Stamp
	lastReceived Stamp
	lastSent     Stamp
	pruned       Stamp // 0 while the session lives
	receiveOnly  bool
	id           ratchet.SessionID // in a tombstone
	key          ratchet.PublicKey // in a tombstone
}

// New returns the record of a ratchet session just opened with peer. Use a now
// from [NextStamp] over the peer's other sessions, so that the new one is
// chosen before them.
func New(r ratchet.Session, peer ratchet.PublicKey, origin Origin, now time.Time) Session {
	return Session{ratchet: r, peer: peer, origin: origin, created: NextStamp(now)}
}

// ID returns the session's id, also of a tombstone.
func (s Session) ID() ratchet.SessionID {
	if s.pruned != 0 {
		return s.id
	}
	return s.ratchet.ID()
}

// Ratchet returns the ratchet state, or [ErrPruned] for a tombstone.
func (s Session) Ratchet() (ratchet.Session, error) {
	if s.pruned != 0 {
		return ratchet.Session{}, ErrPruned
	}
	return s.ratchet, nil
}

// Peer returns the peer's identity key.
func (s Session) Peer() ratchet.PublicKey { return s.peer }

// Origin returns how the session was opened.
func (s Session) Origin() Origin { return s.origin }

// OneTimeKey returns the one-time or fallback key that opened the session: the
// peer's for an outbound session, else ours.
func (s Session) OneTimeKey() ratchet.PublicKey {
	if s.pruned != 0 {
		return s.key
	}
	return s.ratchet.PreKeys().OneTime
}

// Created returns when the session was opened.
func (s Session) Created() Stamp { return s.created }

// LastReceived returns when a message was last decrypted in the session, or 0.
func (s Session) LastReceived() Stamp { return s.lastReceived }

// LastSent returns when a message was last encrypted in the session, or 0.
func (s Session) LastSent() Stamp { return s.lastSent }

// Pruned returns when the session was pruned and whether it was.
func (s Session) Pruned() (at Stamp, pruned bool) { return s.pruned, s.pruned != 0 }

// ReceiveOnly reports that nothing is to be sent in the session any more: its
// state may be older than what was once sent with it.
func (s Session) ReceiveOnly() bool { return s.receiveOnly }

// StopSending returns the session as one that only receives, for good: see the
// package documentation.
func (s Session) StopSending() Session {
	s.receiveOnly = true
	return s
}

// Received returns the session after a message decrypted to the state next.
func (s Session) Received(next ratchet.Session, now time.Time) Session {
	s.ratchet = next
	s.lastReceived = max(NextStamp(now), s.lastReceived)
	return s
}

// Sent returns the session after a message was encrypted with the state next.
func (s Session) Sent(next ratchet.Session, now time.Time) Session {
	s.ratchet = next
	s.lastSent = max(NextStamp(now), s.lastSent)
	return s
}

// Prune returns the session's tombstone: all but the keys. A tombstone is its
// own.
func (s Session) Prune(now time.Time) Session {
	if s.pruned != 0 {
		return s
	}
	s.id, s.key = s.ID(), s.OneTimeKey()
	s.ratchet = ratchet.Session{}
	s.pruned = NextStamp(now)
	return s
}
