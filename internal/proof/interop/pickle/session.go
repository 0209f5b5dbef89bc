package pickle

import "fmt"

// Session pickle versions. The second one carries a chain index at the end
// that was only ever written by test builds.
const (
	sessionVersion        = 1
	sessionVersionIndexed = 0x80000001
)

// Session is the whole state of an Olm session, as raw bytes.
type Session struct {
	Initiated   bool     // this side opened the session; not in the pickle, filled in by who knows
	Received    bool     // a message was received and decrypted: send normal messages
	IdentityKey [32]byte // I_A, of who opened the session
	BaseKey     [32]byte // E_A
	OneTimeKey  [32]byte // E_B
	RootKey     [32]byte
	Sender      *SenderChain    // nil: the next encryption turns the ratchet
	Receivers   []ReceiverChain // newest first, at most 5
	Skipped     []SkippedKey    // newest first, at most 40 in all
}

// SenderChain is our half of the conversation: T_i and the chain it started.
type SenderChain struct {
	Public, Private [32]byte
	ChainKey        [32]byte
	Index           uint32
}

// ReceiverChain is one of theirs.
type ReceiverChain struct {
	RatchetKey [32]byte
	ChainKey   [32]byte
	Index      uint32
}

// SkippedKey is M_i,j of a message that was passed over.
type SkippedKey struct {
	RatchetKey [32]byte
	MessageKey [32]byte
	Index      uint32
}

// DecodeSession reads raw session bytes; the error wraps [ErrPickle].
func DecodeSession(raw []byte) (Session, error) {
	r := &reader{b: raw}
	version := r.u32()
	if r.err == nil && version != sessionVersion && version != sessionVersionIndexed {
		return Session{}, fmt.Errorf("%w: session version %#x", ErrPickle, version)
	}
	s := Session{Received: r.bool(), IdentityKey: r.key(), BaseKey: r.key(), OneTimeKey: r.key(), RootKey: r.key()}
	for range r.count() {
		s.Sender = &SenderChain{Public: r.key(), Private: r.key(), ChainKey: r.key(), Index: r.u32()}
	}
	for range r.count() {
		s.Receivers = append(s.Receivers, ReceiverChain{RatchetKey: r.key(), ChainKey: r.key(), Index: r.u32()})
	}
	for range r.count() {
		s.Skipped = append(s.Skipped, SkippedKey{RatchetKey: r.key(), MessageKey: r.key(), Index: r.u32()})
	}
	if version == sessionVersionIndexed {
		r.u32()
	}
	return s, r.end()
}

// Encode returns the raw bytes of version 1.
func (s Session) Encode() []byte {
	b := appendU32(nil, sessionVersion)
	b = appendBool(b, s.Received)
	for _, k := range [][32]byte{s.IdentityKey, s.BaseKey, s.OneTimeKey, s.RootKey} {
		b = append(b, k[:]...)
	}
	if s.Sender == nil {
		b = appendU32(b, 0)
	} else {
		b = appendU32(b, 1)
		b = append(b, s.Sender.Public[:]...)
		b = append(b, s.Sender.Private[:]...)
		b = append(b, s.Sender.ChainKey[:]...)
		b = appendU32(b, s.Sender.Index)
	}
	b = appendU32(b, uint32(len(s.Receivers)))
	for _, c := range s.Receivers {
		b = append(b, c.RatchetKey[:]...)
		b = append(b, c.ChainKey[:]...)
		b = appendU32(b, c.Index)
	}
	b = appendU32(b, uint32(len(s.Skipped)))
	for _, k := range s.Skipped {
		b = append(b, k.RatchetKey[:]...)
		b = append(b, k.MessageKey[:]...)
		b = appendU32(b, k.Index)
	}
	return b
}
