package todevice

import (
	"cmp"
	"encoding/binary"
	"slices"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// hintedPeers is how many peers' sessions are remembered: about 400 bytes each
// with a session, and 4 KB with as many as there may be.
const hintedPeers = 4096

// hints are what an account's calls remember of peers: which sessions one had
// when its record was last read, so that the next call reads them in the same
// round trip as the record, and which chains they had, so that the next message
// needs no session but its own. They are names and nothing else, and nothing
// follows from them: what there is, and what is in it, comes from the snapshot
// each time. A hint that is out of date costs the round trip that it saves
// otherwise.
type hints struct {
	peers *lru.Cache[ratchet.PublicKey, hint]
}

// hint is never changed in place.
type hint struct {
	peer session.Peer
	had  []had // the last to be used first
}

// had is which chains a session had: that a second one may not come to know one of
// them ([session.Known]) is seen without reading it, where this process has.
type had struct {
	session ratchet.SessionID
	chains  []uint64 // where their ratchet keys begin: two that begin alike cost a round trip
}

func chainsOf(s session.Session) (h had) {
	h.session = s.ID()
	state, err := s.Ratchet()
	if err != nil {
		return h
	}
	for _, c := range state.ReceiverChains() {
		h.chains = append(h.chains, startOf(c.RatchetKey))
	}
	return h
}

func newHints() hints {
	peers, _ := lru.New[ratchet.PublicKey, hint](hintedPeers) // fails for sizes below 1
	return hints{peers}
}

// sessionsOf names the sessions that a peer may have.
func (h hints) sessionsOf(peer ratchet.PublicKey) []txn.Ref {
	known, _ := h.peers.Get(peer)
	return sessionRefs(known.peer)
}

func sessionRefs(p session.Peer) []txn.Ref {
	var refs []txn.Ref
	for _, name := range records.SessionNames(p) {
		refs = append(refs, records.Sessions.Ref(name))
	}
	return refs
}

// likely is how likely a message is of the session that a hint names.
type likely int

const (
	unknown likely = iota // there is no such hint
	guessed               // it was used last
	sure                  // it is what the message says, or what had its chain
)

// sessionFor names the session that a message may be of.
func (h hints) sessionFor(in parsed) (ratchet.SessionID, likely) {
	known, _ := h.peers.Get(in.sender)
	switch {
	case in.preKey != nil && known.peer.Has(in.session):
		return in.session, sure
	case in.preKey != nil:
		return in.session, guessed
	case len(known.had) == 0:
		return ratchet.SessionID{}, unknown
	}
	start := startOf(in.normal.RatchetKey)
	at := slices.IndexFunc(known.had, func(h had) bool { return slices.Contains(h.chains, start) })
	if at < 0 {
		return known.had[0].session, guessed
	}
	return known.had[at].session, sure
}

func startOf(key ratchet.PublicKey) uint64 { return binary.BigEndian.Uint64(key[:]) }

// has notes which sessions a peer has. What is not committed after all costs
// some records that are read for nothing.
func (h hints) has(peer session.Peer) {
	known, _ := h.peers.Get(peer.Identity())
	known.peer = peer
	h.peers.Add(peer.Identity(), known)
}

// read notes all sessions of a peer.
func (h hints) read(c records.Contact) {
	known, _ := h.peers.Get(c.Peer.Identity())
	rank := func(id ratchet.SessionID) int { // those that were used here last come first
		at := slices.IndexFunc(known.had, func(h had) bool { return h.session == id })
		return cmp.Or(at+1, session.MaxPerPeer+1)
	}
	next := hint{peer: c.Peer}
	for _, s := range c.Sessions {
		next.had = append(next.had, chainsOf(s))
	}
	slices.SortStableFunc(next.had, func(a, b had) int { return cmp.Compare(rank(a.session), rank(b.session)) })
	h.peers.Add(c.Peer.Identity(), next)
}

// used notes the session that a message was of, either way, as it is after it.
func (h hints) used(s session.Session) {
	known, _ := h.peers.Get(s.Peer())
	others := slices.DeleteFunc(slices.Clone(known.had), func(h had) bool { return h.session == s.ID() })
	known.had = append([]had{chainsOf(s)}, others[:min(len(others), session.MaxPerPeer-1)]...)
	h.peers.Add(s.Peer(), known)
}

// format is what is remembered of the account: which names its receipts may
// have, and whether a message can do with one session.
type format struct{ raised, oldReceipts bool }

// learn remembers the format of the account.
func (m *Messages) learn(a account.Account) format {
	f := format{a.Raised(), !a.Raised() || a.Lineage().OldReceipts}
	if known := m.format.Load(); known == nil || *known != f {
		m.format.Store(&f)
	}
	return f
}

// lastFormat is the format that the account had when it was last read.
func (m *Messages) lastFormat() format {
	if known := m.format.Load(); known != nil {
		return *known
	}
	return format{raised: true, oldReceipts: true} // all that there may be
}
