package ratchet

import (
	"cmp"
	"slices"

	"github.com/pawlkv/pawl/internal/secret"
)

// Secret is a root, chain or message key outside of its session, for pickles of other
// programs.
type Secret = secret.Value[[32]byte]

// Parts are what a session of another program consists of, for [FromParts].
type Parts struct {
	secret.Guard
	Keys      PreKeys
	Initiated bool // this side opened the session
	Received  bool // a message was decrypted in it
	Root      Secret
	Sender    *SenderPart    // nil: the next message begins a chain
	Receivers []ReceiverPart // newest first
}

// SenderPart is the chain that this side sends with.
type SenderPart struct {
	secret.Guard
	Ratchet KeyPair
	Key     Secret
	Index   uint32 // of the next message
}

// ReceiverPart is a chain that the peer sends with.
type ReceiverPart struct {
	secret.Guard
	Ratchet PublicKey
	Key     Secret
	Index   uint32        // of the next message
	Skipped []SkippedPart // in any order
}

// SkippedPart is the key of a message that was passed over.
type SkippedPart struct {
	secret.Guard
	Index uint32
	Key   Secret
}

// FromParts returns the session that consists of these parts. It fails with
// [ErrFormat] where no session can be in such a state, and where there is more than a
// session keeps: see [DecodeSession]. Of a chain's skipped keys the newest
// [MaxSkippedKeys] are kept.
func FromParts(p Parts) (Session, error) {
	s := state{keys: &p.Keys, initiated: p.Initiated, received: p.Received, root: rootKey(p.Root.Reveal())}
	if c := p.Sender; c != nil {
		if c.Ratchet.IsZero() {
			return Session{}, badRecord("chain to send without a ratchet key")
		}
		s.sender = newSenderChain(c.Ratchet, chain{key: c.Key.Reveal(), index: c.Index})
	}
	if len(p.Receivers) > MaxReceiverChains {
		return Session{}, badRecord("too many receiver chains")
	}
	for _, c := range p.Receivers {
		s.receivers = append(s.receivers, c.chain())
	}
	if err := s.check(); err != nil {
		return Session{}, err
	}
	return wrap(s), nil
}

func (p ReceiverPart) chain() receiverChain {
	c := newReceiverChain(p.Ratchet, chain{key: p.Key.Reveal(), index: p.Index})
	for _, k := range p.Skipped {
		c.skipped = append(c.skipped, skippedKey{index: k.Index, key: remoteMessageKey(k.Key.Reveal())})
	}
	slices.SortFunc(c.skipped, func(a, b skippedKey) int { return cmp.Compare(a.index, b.index) })
	c.skipped = c.skipped[max(len(c.skipped)-MaxSkippedKeys, 0):]
	return c
}
