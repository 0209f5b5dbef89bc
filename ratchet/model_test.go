package ratchet

import (
	"errors"
	"slices"
)

// The oracle of conversations: what a receiver must answer, told from who sent
// what after which key, without any cryptography.

// sent is a message on its way and what the model knows of it.
type sent struct {
	message Message
	text    string
	key     PublicKey // the sender's ratchet key
	against PublicKey // the receiver's ratchet key that it answers
	index   uint32
}

// modelChain is a receiving chain: the next index and the indices skipped.
type modelChain struct {
	key     PublicKey
	next    uint32
	skipped []uint32 // oldest first
}

// modelEnd is one end of a session.
type modelEnd struct {
	received bool
	sending  *PublicKey   // our ratchet key, nil when the next message makes one
	index    uint32       // of the next message sent
	chains   []modelChain // newest first
}

// receive returns what Decrypt must answer and, when it is nil, moves on.
func (e *modelEnd) receive(m sent) error {
	at := slices.IndexFunc(e.chains, func(c modelChain) bool { return c.key == m.key })
	if at < 0 {
		return e.receiveNew(m)
	}
	c, err := e.chains[at].take(m.index)
	if err != nil {
		return err
	}
	e.chains[at] = c
	e.received = true
	return nil
}

func (e *modelEnd) receiveNew(m sent) error {
	if e.sending == nil {
		return ErrUnknownChain
	}
	c, err := modelChain{key: m.key}.take(m.index)
	if err != nil {
		return err
	}
	if m.against != *e.sending {
		return ErrMAC // of a chain dropped long ago: the root step yields nonsense
	}
	e.chains = append([]modelChain{c}, e.chains...)
	e.chains = e.chains[:min(len(e.chains), 5)]
	e.sending = nil
	e.received = true
	return nil
}

func (c modelChain) take(index uint32) (modelChain, error) {
	if index < c.next {
		at := slices.Index(c.skipped, index)
		if at < 0 {
			return c, ErrKeyGone
		}
		c.skipped = slices.Delete(slices.Clone(c.skipped), at, at+1)
		return c, nil
	}
	if index-c.next > 2000 {
		return c, ErrGap
	}
	c.skipped = slices.Clone(c.skipped)
	for ; c.next < index; c.next++ {
		c.skipped = append(c.skipped, c.next)
	}
	c.skipped = c.skipped[max(0, len(c.skipped)-40):]
	c.next++
	return c, nil
}

// agrees tells how the public facts of a session differ from the model.
func (e *modelEnd) agrees(s Session) error {
	if s.HasReceived() != e.received {
		return errors.New("received differs")
	}
	chain, sending := s.SenderChain()
	if sending != (e.sending != nil) || sending && (chain.RatchetKey != *e.sending || chain.Index != e.index) {
		return errors.New("sender chain differs")
	}
	got := s.ReceiverChains()
	if len(got) != len(e.chains) {
		return errors.New("number of receiver chains differs")
	}
	for i, c := range e.chains {
		if got[i] != (ChainInfo{RatchetKey: c.key, Index: c.next, Skipped: len(c.skipped)}) {
			return errors.New("a receiver chain differs")
		}
	}
	return nil
}
