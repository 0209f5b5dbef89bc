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
	standing Standing
}

// Standing is what a peer is to us, apart from its sessions.
type Standing uint8

const (
	// Unrated: its record is of format 1, which does not say.
	Unrated Standing = 0
	// Stranger: it came by a fallback key, and nothing was ever sent to it.
	Stranger Standing = 1
	// Acquainted: it came by a one-time key, or we wrote to it.
	Acquainted Standing = 2
)

// NewPeer returns a peer without sessions.
func NewPeer(identity ratchet.PublicKey) Peer { return Peer{identity: identity} }

// Identity returns the peer's Curve25519 identity key.
func (p Peer) Identity() ratchet.PublicKey { return p.identity }

// Standing returns what the peer is to us.
func (p Peer) Standing() Standing { return p.standing }

// Rated returns the peer with a standing.
func (p Peer) Rated(s Standing) Peer {
	p.standing = s
	return p
}

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
	peerVersion1 = 1
	peerFields1  = 2
	peerVersion2 = 2
	peerFields2  = 3
)

// Encode returns the record: in version 2 if it has a standing, else in version
// 1.
func (p Peer) Encode() ([]byte, error) {
	size := 48 + 34*len(p.sessions)
	if p.standing == Unrated {
		return record.Encode(peerVersion1, peerFields1, size, p.writeSessions), nil
	}
	return record.Encode(peerVersion2, peerFields2, size, func(w *record.Writer) {
		p.writeSessions(w)
		w.Uint(uint64(p.standing))
	}), nil
}

func (p Peer) writeSessions(w *record.Writer) {
	w.Bytes(p.identity[:])
	w.Count(len(p.sessions))
	for _, id := range p.sessions {
		w.Bytes(id[:])
	}
}

// DecodePeer reads a record written by [Peer.Encode]. It fails with
// [ErrFormat] or [ErrVersion].
func DecodePeer(b []byte) (Peer, error) {
	var p Peer
	err := record.DecodeOneOf("peer", b,
		record.Layout{Version: peerVersion1, Count: peerFields1, Fields: p.readSessions},
		record.Layout{Version: peerVersion2, Count: peerFields2, Fields: func(r *record.Reader) {
			p.readSessions(r)
			p.standing = Standing(r.Uint(uint64(Acquainted)))
			r.Check(p.standing != Unrated, "standing")
		}})
	if err != nil {
		return Peer{}, err
	}
	return p, nil
}

func (p *Peer) readSessions(r *record.Reader) {
	r.Fixed(p.identity[:])
	for range r.Count(MaxPerPeer) {
		var id ratchet.SessionID
		r.Fixed(id[:])
		r.Check(!p.Has(id), "session listed twice")
		p.sessions = append(p.sessions, id)
	}
}
