package session

import (
	"slices"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

const (
	sessionVersion1 = 1
	sessionFields1  = 9
	sessionVersion2 = 2
	sessionFields2  = 9
	sessionVersion3 = 3
	sessionFields3  = 10
	sessionSize     = 160 // bytes beside the ratchet state, rounded up

	// maxRatchetSize bounds the ratchet state within: five chains with forty
	// skipped keys each take half of it.
	maxRatchetSize = 16 << 10
)

// Encode returns the record: in version 3 if chains were dropped, else in version 2 if
// it has an order, else in version 1, which has no place for one. It fails with [ratchet.ErrNoSession] for the zero
// Session.
func (s Session) Encode() ([]byte, error) {
	if s.createdIn == 0 && s.receivedIn == 0 {
		return s.encode1()
	}
	version, fields := byte(sessionVersion2), sessionFields2
	if len(s.dropped) > 0 {
		version, fields = sessionVersion3, sessionFields3
	}
	size := s.ratchet.RecordSize()
	var err error
	out := record.Encode(version, fields, sessionSize+len(chainTag{})*len(s.dropped)+size, func(w *record.Writer) {
		w.Bytes(s.peer[:])
		w.Uint(uint64(s.origin))
		w.Uint(uint64(s.created))
		w.Order(s.createdIn)
		w.Uint(uint64(s.lastReceived))
		w.Order(s.receivedIn)
		w.Uint(uint64(s.lastSent))
		w.Bool(s.receiveOnly)
		if len(s.dropped) > 0 {
			w.Bytes(s.tags())
		}
		err = w.Nested(size, s.ratchet.AppendBinary)
	})
	return unless(err, out)
}

func (s Session) encode1() ([]byte, error) {
	size := s.ratchet.RecordSize()
	var err error
	out := record.Encode(sessionVersion1, sessionFields1, sessionSize+size, func(w *record.Writer) {
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
	return unless(err, out)
}

// unless returns the record, or nothing if it could not be written.
func unless(err error, out []byte) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return out, nil
}

// DecodeSession reads a record written by [Session.Encode]. It fails with
// [ErrFormat] or [ErrVersion].
func DecodeSession(b []byte) (Session, error) {
	var s Session
	err := record.DecodeOneOf("session", b,
		record.Layout{Version: sessionVersion1, Count: sessionFields1, Fields: s.read1},
		record.Layout{Version: sessionVersion2, Count: sessionFields2, Fields: s.read2},
		record.Layout{Version: sessionVersion3, Count: sessionFields3, Fields: s.read3})
	if err != nil {
		return Session{}, err
	}
	return s, nil
}

func (s *Session) read1(r *record.Reader) {
	s.readOpening(r)
	s.lastReceived = readStamp(r)
	s.lastSent = readStamp(r)
	s.pruned = readStamp(r)
	s.receiveOnly = r.Bool()
	names := r.Bytes(len(s.id) + len(s.key))
	if s.pruned == 0 {
		r.Check(len(names) == 0, "names in a live session")
		s.readRatchet(r)
		return
	}
	state := r.Bytes(maxRatchetSize)
	r.Check(len(state) == 0 && len(names) == len(s.id)+len(s.key), "tombstone")
	copy(s.key[:], names[copy(s.id[:], names):])
}

func (s *Session) read2(r *record.Reader) {
	s.readTimes(r)
	s.readRatchet(r)
}

func (s *Session) read3(r *record.Reader) {
	s.readTimes(r)
	tags := r.Bytes(MaxDropped * len(chainTag{}))
	r.Check(len(tags) > 0 && len(tags)%len(chainTag{}) == 0, "chains that were dropped")
	if r.OK() {
		for tag := range slices.Chunk(tags, len(chainTag{})) {
			s.dropped = append(s.dropped, chainTag(tag))
		}
	}
	s.readRatchet(r)
}

// tags returns those of the chains that were dropped, the oldest first.
func (s Session) tags() (b []byte) {
	for _, tag := range s.dropped {
		b = append(b, tag[:]...)
	}
	return b
}

func (s *Session) readTimes(r *record.Reader) {
	s.readOpening(r)
	s.createdIn = r.Order()
	s.lastReceived = readStamp(r)
	s.receivedIn = r.Order()
	s.lastSent = readStamp(r)
	s.receiveOnly = r.Bool()
	r.Check(max(s.createdIn, s.receivedIn) != 0 && (s.receivedIn == 0 || s.receivedIn >= s.createdIn), "order")
	r.Check(s.receivedIn == 0 || s.lastReceived != 0, "received at no time")
}

func (s *Session) readOpening(r *record.Reader) {
	r.Fixed(s.peer[:])
	s.origin = Origin(r.Uint(uint64(WithFallbackKey)))
	s.created = readStamp(r)
	r.Check(s.origin != 0 && s.created != 0, "origin or time of creation")
}

func (s *Session) readRatchet(r *record.Reader) {
	state := r.Bytes(maxRatchetSize)
	if !r.OK() {
		return
	}
	var err error
	s.ratchet, err = ratchet.DecodeSession(state)
	r.FailWith(err)
	r.Check(s.ratchet.Initiated() == (s.origin == Outbound), "origin and ratchet state disagree")
	r.Check(s.origin == Outbound || s.ratchet.PreKeys().Identity == s.peer, "peer did not open this session")
}
