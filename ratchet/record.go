package ratchet

import "encoding/binary"

// The session record, with integers big-endian:
//
//	format version        1, always 1
//	flags                 1
//	I_A, E_A, E_B         3 x 32
//	root key              32
//	sender chain          100, if its flag is set: public 32, private 32, chain key 32, next index 4
//	receiver chain count  1, at most 5
//	receiver chains       newest first, each: ratchet key 32, chain key 32, next index 4,
//	                      skipped count 1 (at most 40), skipped keys: index 4, key 32, ascending by index
//
// There is one encoding of each state, and only states that a session can be
// in are accepted. The public parts of our keys are kept so that reading
// computes nothing.
const (
	recordVersion = 1

	senderSize   = 3*keySize + 4
	receiverSize = 2*keySize + 4 + 1
	skippedSize  = 4 + keySize
)

// Flags of a record. Other bits are refused.
const (
	flagInitiated = 1 << iota
	flagReceived
	flagSender
	flagsKnown = flagInitiated | flagReceived | flagSender
)

// AppendBinary appends the session's record to b: 231 bytes for a new outbound
// session, 7,776 at most. It fails with [ErrNoSession].
//
// The record holds every secret of the session. It is for sealed storage only.
func (s Session) AppendBinary(b []byte) ([]byte, error) {
	st := s.state.Peek()
	if st == nil {
		return b, ErrNoSession
	}
	return st.append(b), nil
}

// RecordSize returns how many bytes AppendBinary appends.
func (s Session) RecordSize() int {
	st := s.state.Peek()
	if st == nil {
		return 0
	}
	n := 2 + 4*keySize + 1
	if st.sender.active() {
		n += senderSize
	}
	for i := range st.receivers {
		n += receiverSize + len(st.receivers[i].skipped)*skippedSize
	}
	return n
}

func (s *state) append(b []byte) []byte {
	b = append(b, recordVersion, s.flags())
	b = append(b, s.keys.identity[:]...)
	b = append(b, s.keys.base[:]...)
	b = append(b, s.keys.oneTime[:]...)
	b = append(b, s.root[:]...)
	if s.sender.active() {
		b = s.sender.append(b)
	}
	b = append(b, byte(len(s.receivers)))
	for i := range s.receivers {
		b = s.receivers[i].append(b)
	}
	return b
}

func (s *state) flags() (f byte) {
	if s.initiated {
		f |= flagInitiated
	}
	if s.received {
		f |= flagReceived
	}
	if s.sender.active() {
		f |= flagSender
	}
	return f
}

func (c *senderChain) append(b []byte) []byte {
	b = append(b, c.ratchet.public[:]...)
	b = append(b, c.ratchet.private[:]...)
	b = append(b, c.chain.key[:]...)
	return binary.BigEndian.AppendUint32(b, c.chain.index)
}

func (c *receiverChain) append(b []byte) []byte {
	b = append(b, c.ratchet[:]...)
	b = append(b, c.chain.key[:]...)
	b = binary.BigEndian.AppendUint32(b, c.chain.index)
	b = append(b, byte(len(c.skipped)))
	for i := range c.skipped {
		b = binary.BigEndian.AppendUint32(b, c.skipped[i].index)
		b = append(b, c.skipped[i].key[:]...)
	}
	return b
}
