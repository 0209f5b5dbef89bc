package session

import (
	"slices"

	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/ratchet"
)

// Peer is one device that we have sessions with, known by its identity key.
type Peer struct {
	identity ratchet.PublicKey
	sessions []ratchet.SessionID // never changed in place
}

// NewPeer returns a peer without sessions.
func NewPeer(identity ratchet.PublicKey) Peer { return Peer{identity: identity} }

// Identity returns the peer's Curve25519 identity key.
func (p Peer) Identity() ratchet.PublicKey { return p.identity }

// Sessions returns the ids of the live sessions in the order of adding.
func (p Peer) Sessions() []ratchet.SessionID { return slices.Clone(p.sessions) }

// Has reports whether the peer has the session.
func (p Peer) Has(id ratchet.SessionID) bool { return slices.Contains(p.sessions, id) }

// Full reports that a session must be pruned before one can be added.
func (p Peer) Full() bool { return len(p.sessions) >= MaxPerPeer }

// Add returns the peer with one session more, or fails with [ErrKnown] or
// [ErrFull].
func (p Peer) Add(id ratchet.SessionID) (Peer, error) {
	if p.Has(id) {
		return p, ErrKnown
	}
	if p.Full() {
		return p, ErrFull
	}
	p.sessions = append(slices.Clip(p.sessions), id)
	return p, nil
}

// Remove returns the peer without the session, which need not be there.
func (p Peer) Remove(id ratchet.SessionID) Peer {
	p.sessions = slices.DeleteFunc(slices.Clone(p.sessions), func(s ratchet.SessionID) bool { return s == id })
	return p
}

const (
	peerVersion = 1
	peerFields  = 2
)

// Encode returns the record.
func (p Peer) Encode() ([]byte, error) {
	size := 48 + 34*len(p.sessions)
	return record.Encode(peerVersion, peerFields, size, func(w *record.Writer) {
		w.Bytes(p.identity[:])
		w.Count(len(p.sessions))
		for _, id := range p.sessions {
			w.Bytes(id[:])
		}
	}), nil
}

// DecodePeer reads a record written by [Peer.Encode]. It fails with
// [ErrFormat] or [ErrVersion].
func DecodePeer(b []byte) (Peer, error) {
	var p Peer
	err := record.Decode("peer", b, peerVersion, peerFields, func(r *record.Reader) {
		r.Fixed(p.identity[:])
		for range r.Count(MaxPerPeer) {
			var id ratchet.SessionID
			r.Fixed(id[:])
			r.Check(!p.Has(id), "session listed twice")
			p.sessions = append(p.sessions, id)
		}
	})
	if err != nil {
		return Peer{}, err
	}
	return p, nil
}
