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
	b = append(b, s.keys.Identity[:]...)
	b = append(b, s.keys.Base[:]...)
	b = append(b, s.keys.OneTime[:]...)
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

// DecodeSession reads the record that AppendBinary wrote and nothing else: it
// fails with [ErrFormat] on other versions, unknown flags, lengths that do not
// fit, bytes left over, counts above the limits and states that no session can
// be in. It keeps no reference to b.
func DecodeSession(b []byte) (Session, error) {
	r := reader{rest: b}
	s, err := r.state()
	if err == nil {
		err = r.end()
	}
	if err == nil {
		err = s.check()
	}
	if err != nil {
		return Session{}, err
	}
	return wrap(s), nil
}

// reader takes fixed fields off a record. After a field that is not there it
// yields zeros, and short is set.
type reader struct {
	rest  []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n > len(r.rest) {
		r.rest, r.short = nil, true
		return make([]byte, n) // n is one of the sizes above, never read from the record
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) byte() byte     { return r.take(1)[0] }
func (r *reader) uint32() uint32 { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) key(out []byte) { copy(out, r.take(keySize)) }

func (r *reader) end() error {
	switch {
	case r.short:
		return badRecord("cut off")
	case len(r.rest) > 0:
		return badRecord("bytes after the end")
	}
	return nil
}

func (r *reader) state() (s state, err error) {
	if v := r.byte(); r.short || v != recordVersion {
		return s, badRecord("format version is not 1")
	}
	flags := r.byte()
	if flags&^flagsKnown != 0 {
		return s, badRecord("unknown flags")
	}
	s.initiated = flags&flagInitiated != 0
	s.received = flags&flagReceived != 0
	s.keys = r.preKeys()
	r.key(s.root[:])
	if flags&flagSender != 0 {
		s.sender = r.sender()
	}
	s.receivers, err = r.receivers()
	return s, err
}

func (r *reader) preKeys() *PreKeys {
	k := new(PreKeys)
	r.key(k.Identity[:])
	r.key(k.Base[:])
	r.key(k.OneTime[:])
	return k
}

func (r *reader) sender() (c senderChain) {
	c.ratchet = new(senderKey)
	r.key(c.ratchet.public[:])
	r.key(c.ratchet.private[:])
	r.key(c.chain.key[:])
	c.chain.index = r.uint32()
	return c
}

func (r *reader) receivers() ([]receiverChain, error) {
	n := int(r.byte())
	if n > MaxReceiverChains {
		return nil, badRecord("too many receiver chains")
	}
	if n == 0 {
		return nil, nil
	}
	chains := make([]receiverChain, n)
	for i := range chains {
		if err := r.receiver(&chains[i]); err != nil {
			return nil, err
		}
	}
	return chains, nil
}

func (r *reader) receiver(c *receiverChain) error {
	r.key(c.ratchet[:])
	r.key(c.chain.key[:])
	c.chain.index = r.uint32()
	n := int(r.byte())
	if n > MaxSkippedKeys {
		return badRecord("too many skipped keys")
	}
	if n == 0 {
		return nil
	}
	c.skipped = make([]skippedKey, n)
	for i := range c.skipped {
		c.skipped[i].index = r.uint32()
		r.key(c.skipped[i].key[:])
	}
	return nil
}

// check refuses states that no sequence of calls leads to. Using one would
// fail later, and far from the damage.
func (s *state) check() error {
	if err := s.checkChains(); err != nil {
		return err
	}
	for i := range s.receivers {
		if s.receiver(&s.receivers[i].ratchet) != i {
			return badRecord("two receiver chains with one ratchet key")
		}
		if err := s.receivers[i].check(); err != nil {
			return err
		}
	}
	return nil
}

func (s *state) checkChains() error {
	switch {
	case s.received && len(s.receivers) == 0:
		return badRecord("received, but on no chain")
	case !s.received && s.initiated && (!s.sender.active() || len(s.receivers) > 0):
		return badRecord("outbound session without an answer has one chain, to send")
	case !s.received && !s.initiated && (len(s.receivers) != 1 || s.receivers[0].chain.index > 0):
		return badRecord("inbound session that received nothing has one fresh chain to receive")
	}
	return nil
}

func (c *receiverChain) check() error {
	for i := range c.skipped {
		if i > 0 && c.skipped[i].index <= c.skipped[i-1].index {
			return badRecord("skipped keys are not in order")
		}
	}
	if n := len(c.skipped); n > 0 && c.skipped[n-1].index >= c.chain.index {
		return badRecord("skipped key is not behind its chain")
	}
	return nil
}
