package ratchet

import "encoding/binary"

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

func (r *reader) byte() byte        { return r.take(1)[0] }
func (r *reader) uint32() uint32    { return binary.BigEndian.Uint32(r.take(4)) }
func (r *reader) key(out *[32]byte) { copy(out[:], r.take(keySize)) }

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
	s.keys = r.sessionKeys()
	r.key((*[32]byte)(&s.root))
	if flags&flagSender != 0 {
		s.sender = r.sender()
	}
	s.receivers, err = r.receivers()
	return s, err
}

func (r *reader) sessionKeys() *sessionKeys {
	k := new(sessionKeys)
	r.key((*[32]byte)(&k.identity))
	r.key((*[32]byte)(&k.base))
	r.key((*[32]byte)(&k.oneTime))
	return k
}

func (r *reader) sender() (c senderChain) {
	c.ratchet = new(senderKey)
	r.key((*[32]byte)(&c.ratchet.public))
	r.key(&c.ratchet.private)
	r.key(&c.chain.key)
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
	r.key((*[32]byte)(&c.ratchet))
	r.key(&c.chain.key)
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
		r.key(&c.skipped[i].key)
	}
	return nil
}
