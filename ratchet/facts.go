package ratchet

// ChainInfo is what may be shown of a chain.
type ChainInfo struct {
	RatchetKey PublicKey // of the side that sends with the chain
	Index      uint32    // of the next message
	Skipped    int       // keys kept for messages not seen; 0 for a sending chain
}

// IsZero reports whether s is the zero Session.
func (s Session) IsZero() bool { return s.state.IsZero() }

// ID returns the name of the session, the same on both sides.
func (s Session) ID() SessionID {
	return s.PreKeys().SessionID()
}

// PreKeys returns the public keys that opened the session.
func (s Session) PreKeys() (keys PreKeys) {
	if st := s.state.Peek(); st != nil {
		keys = *st.keys
	}
	return keys
}

// Initiated reports whether this side opened the session.
func (s Session) Initiated() bool {
	st := s.state.Peek()
	return st != nil && st.initiated
}

// HasReceived reports whether a message was ever decrypted in this session.
// Until then its messages are of type [PreKey].
func (s Session) HasReceived() bool {
	st := s.state.Peek()
	return st != nil && st.received
}

// SenderChain returns the chain that the next message will use, or false when
// that message will begin a new one.
func (s Session) SenderChain() (ChainInfo, bool) {
	st := s.state.Peek()
	if st == nil || !st.sender.active() {
		return ChainInfo{}, false
	}
	return ChainInfo{RatchetKey: st.sender.ratchet.public, Index: st.sender.chain.index}, true
}

// ReceiverChains returns the chains that messages are accepted on, newest
// first, at most [MaxReceiverChains].
func (s Session) ReceiverChains() []ChainInfo {
	st := s.state.Peek()
	if st == nil {
		return nil
	}
	out := make([]ChainInfo, len(st.receivers))
	for i := range st.receivers {
		c := &st.receivers[i]
		out[i] = ChainInfo{RatchetKey: c.ratchet, Index: c.chain.index, Skipped: len(c.skipped)}
	}
	return out
}

// Steps returns how many steps of a chain [Session.Decrypt] takes to reach the
// key of m, genuine or not: at most [MaxGap], and none where it refuses m for
// its place. What it costs beside that is the same for all messages.
func (s Session) Steps(m NormalMessage) int {
	st := s.state.Peek()
	if st == nil {
		return 0
	}
	var c receiverChain // one that the message begins, if the session does not have it
	if at := st.receiver(&m.RatchetKey); at >= 0 {
		c = st.receivers[at]
	} else if !st.sender.active() {
		return 0
	}
	return c.steps(m.Index)
}

// HasReceiverChain reports whether messages with this ratchet key continue a
// chain that the session has.
func (s Session) HasReceiverChain(ratchetKey PublicKey) bool {
	st := s.state.Peek()
	return st != nil && st.receiver(&ratchetKey) >= 0
}

// Dropped returns the ratchet key of the chain that next, the session after a message,
// does not have any more, and whether there is one: of chains only
// [MaxReceiverChains] are kept.
func (s Session) Dropped(next Session) (key PublicKey, dropped bool) {
	before, after := s.state.Peek(), next.state.Peek()
	if before == nil || after == nil || len(before.receivers) < MaxReceiverChains {
		return key, false
	}
	oldest := before.receivers[len(before.receivers)-1].ratchet
	return oldest, after.receiver(&oldest) < 0
}
