package session

import (
	"fmt"
	"slices"
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
	createdIn    Order
	lastReceived Stamp
	receivedIn   Order
	lastSent     Stamp
	pruned       Stamp // 0 while the session lives
	receiveOnly  bool
	dropped      []chainTag        // see drop; never changed in place
	id           ratchet.SessionID // in a tombstone
	key          ratchet.PublicKey // in a tombstone
}

// Origin is how a session was opened.
type Origin uint8

const (
	// Outbound: by us, with a key of the peer.
	Outbound Origin = 1
	// WithOneTimeKey: by the peer, with a one-time key of ours. The key's own
	// tombstone keeps a replayed message from opening the session again.
	WithOneTimeKey Origin = 2
	// WithFallbackKey: by the peer, with a fallback key of ours. The session's
	// tombstone must stay for as long as that key has its private part.
	WithFallbackKey Origin = 3
)

// String returns the origin in lower case.
func (o Origin) String() string {
	switch o {
	case Outbound:
		return "outbound"
	case WithOneTimeKey:
		return "one-time key"
	case WithFallbackKey:
		return "fallback key"
	}
	return fmt.Sprintf("origin %d", uint8(o))
}

// New returns the record of a ratchet session just opened with peer. A moment
// without an order, in an account of format 1, must have a time from [NextStamp]
// over the peer's other sessions, so that the new one is chosen before them.
func New(r ratchet.Session, peer ratchet.PublicKey, origin Origin, at Moment) Session {
	return Session{ratchet: r, peer: peer, origin: origin, created: NextStamp(at.Time), createdIn: at.Order}
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

// Knows reports whether messages with this ratchet key of the peer continue a
// chain of the session.
func (s Session) Knows(ratchetKey ratchet.PublicKey) bool {
	return s.ratchet.HasReceiverChain(ratchetKey)
}

// Acquaints reports that the session makes its peer more than a stranger: a key
// that was meant for one device opened it, or we opened it or wrote in it.
func (s Session) Acquaints() bool { return s.origin != WithFallbackKey || s.lastSent != 0 }

// Heard returns when the peer was last heard in the session.
func (s Session) Heard() Stamp {
	if s.receivedIn != 0 {
		return s.lastReceived
	}
	return max(s.created, s.lastReceived)
}

// Moved returns the session with other times: its own were of a wrong clock. A
// time that has no order stays, since it is one; of a tombstone only when it was
// pruned is moved.
func (s Session) Moved(created, received, pruned time.Time) Session {
	if s.createdIn != 0 {
		s.created = NextStamp(created)
	}
	if s.receivedIn != 0 {
		s.lastReceived = NextStamp(received)
	}
	if s.pruned != 0 {
		s.pruned = NextStamp(pruned)
	}
	return s
}

// Created returns when the session was opened.
func (s Session) Created() Stamp { return s.created }

// LastReceived returns when a message was last decrypted in the session, or 0.
func (s Session) LastReceived() Stamp { return s.lastReceived }

// CreatedIn returns the order in which the session was opened, 0 in format 1.
func (s Session) CreatedIn() Order { return s.createdIn }

// ReceivedIn returns the order of the message last decrypted in the session, 0
// if there was none, or in format 1.
func (s Session) ReceivedIn() Order { return s.receivedIn }

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
func (s Session) Received(next ratchet.Session, at Moment) Session {
	if at.Order != 0 { // format 1 has no place for it
		s.drop(next)
	}
	s.ratchet = next
	if at.Order == 0 {
		s.lastReceived = max(NextStamp(at.Time), s.lastReceived)
		return s
	}
	s.lastReceived, s.receivedIn = NextStamp(at.Time), max(at.Order, s.receivedIn)
	return s
}

// Outgrew reports whether messages with this ratchet key are of a chain that the
// session had and has no more: they came too late, and say nothing of how good the
// session is. It knows the last [MaxDropped] of such chains.
func (s Session) Outgrew(ratchetKey ratchet.PublicKey) bool {
	return slices.Contains(s.dropped, tagOf(ratchetKey))
}

// chainTag is what is kept of the key of a chain that was dropped: a part, since it is
// random.
type chainTag [8]byte

func tagOf(ratchetKey ratchet.PublicKey) chainTag { return chainTag(ratchetKey[:len(chainTag{})]) }

// drop notes the chain that the next state has no more.
func (s *Session) drop(next ratchet.Session) {
	key, dropped := s.ratchet.Dropped(next)
	if !dropped {
		return
	}
	tags := append(slices.Clip(s.dropped), tagOf(key))
	s.dropped = tags[max(0, len(tags)-MaxDropped):]
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
	s.dropped = nil
	s.pruned, s.createdIn, s.receivedIn = NextStamp(now), 0, 0
	return s
}
