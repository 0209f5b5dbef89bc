package session

import (
	"fmt"
	"time"

	"github.com/pawlkv/pawl/internal/record"
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

const (
	sessionVersion = 1
	sessionFields  = 9
	sessionSize    = 160 // bytes beside the ratchet state, rounded up

	// maxRatchetSize bounds the ratchet state within: five chains with forty
	// skipped keys each take half of it.
	maxRatchetSize = 16 << 10
)

// Encode returns the record. It fails with [ratchet.ErrNoSession] for the zero
// Session.
func (s Session) Encode() (out []byte, err error) {
	size := s.ratchet.RecordSize()
	out = record.Encode(sessionVersion, sessionFields, sessionSize+size, func(w *record.Writer) {
		w.Bytes(s.peer[:])
		w.Uint(uint64(s.origin))
		w.Uint(uint64(s.created))
		w.Uint(uint64(s.lastReceived))
		w.Uint(uint64(s.lastSent))
		w.Uint(uint64(s.pruned))
		w.Bool(s.receiveOnly)
		if s.pruned != 0 {
			w.Bytes(append(s.id[:], s.key[:]...))
			w.Bytes(nil)
			return
		}
		w.Bytes(nil)
		err = w.Nested(size, s.ratchet.AppendBinary)
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DecodeSession reads a record written by [Session.Encode]. It fails with
// [ErrFormat] or [ErrVersion].
func DecodeSession(b []byte) (Session, error) {
	var s Session
	err := record.Decode("session", b, sessionVersion, sessionFields, func(r *record.Reader) {
		r.Fixed(s.peer[:])
		s.origin = Origin(r.Uint(uint64(WithFallbackKey)))
		s.created = readStamp(r)
		s.lastReceived = readStamp(r)
		s.lastSent = readStamp(r)
		s.pruned = readStamp(r)
		s.receiveOnly = r.Bool()
		r.Check(s.origin != 0 && s.created != 0, "origin or time of creation")
		s.readBody(r)
	})
	if err != nil {
		return Session{}, err
	}
	return s, nil
}

// readBody reads the names that a tombstone keeps, or the ratchet state.
func (s *Session) readBody(r *record.Reader) {
	names := r.Bytes(len(s.id) + len(s.key))
	state := r.Bytes(maxRatchetSize)
	if s.pruned != 0 {
		r.Check(len(state) == 0 && len(names) == len(s.id)+len(s.key), "tombstone")
		copy(s.key[:], names[copy(s.id[:], names):])
		return
	}
	r.Check(len(names) == 0, "names in a live session")
	if !r.OK() {
		return
	}
	var err error
	s.ratchet, err = ratchet.DecodeSession(state)
	r.FailWith(err)
	r.Check(s.ratchet.Initiated() == (s.origin == Outbound), "origin and ratchet state disagree")
	r.Check(s.origin == Outbound || s.ratchet.PreKeys().Identity == s.peer, "peer did not open this session")
}
