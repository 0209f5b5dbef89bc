package session

import (
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

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

func readStamp(r *record.Reader) Stamp { return Stamp(r.Uint(record.MaxMillis)) }
