package pawl

import (
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// hintedPeers is how many peers' sessions are remembered: about 260 bytes each, with a session.
const hintedPeers = 4096

// hints remember which sessions a peer had when its record was last read, so
// that the next call reads them in the same round trip as the record.
//
// They are names and nothing else, and nothing follows from them: what there is,
// and what is in it, comes from the snapshot each time. A hint that is out of
// date costs the second round trip that it saves otherwise.
type hints struct {
	known *lru.Cache[ratchet.PublicKey, session.Peer]
}

func newHints() hints {
	known, _ := lru.New[ratchet.PublicKey, session.Peer](hintedPeers) // fails for sizes below 1
	return hints{known}
}

// learn notes the sessions of a peer.
func (h hints) learn(p session.Peer) { h.known.Add(p.Identity(), p) }

// of names the sessions that the peer may have.
func (h hints) of(peer ratchet.PublicKey) []txn.Ref {
	p, _ := h.known.Get(peer)
	return sessionRefs(p)
}

func sessionRefs(p session.Peer) []txn.Ref {
	var refs []txn.Ref
	for _, name := range sessionNames(p) {
		refs = append(refs, sessions.Ref(name))
	}
	return refs
}
