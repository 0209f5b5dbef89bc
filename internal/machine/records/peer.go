package records

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Peers: which sessions there are with a device, peer/<curve25519>.
var Peers = txn.Record[ratchet.PublicKey, session.Peer]{
	Kind: "peer", Codec: machine.Encoded(session.DecodePeer),
	Name: session.Peer.Identity, Path: txn.Spelled[ratchet.PublicKey],
}

var peerKind = Kind{Records: many(&Peers), Check: checkPeers, Inspect: inspectPeers}

// Contact is a peer with all of its live sessions, as one transaction sees
// them.
type Contact struct {
	Peer     session.Peer
	Sessions []session.Session
}

// ReadContact reads a peer and its sessions, in one round trip beyond the
// peer's record unless they were prefetched. A peer that we never met has no
// session.
func ReadContact(tx *txn.Tx, identity ratchet.PublicKey) (Contact, error) {
	peer, known, err := Peers.Get(tx, identity)
	if err != nil {
		return Contact{}, err
	}
	if !known {
		return Contact{Peer: session.NewPeer(identity)}, checkStranger(tx, identity)
	}
	found, err := Sessions.GetAll(tx, SessionNames(peer)...)
	if err != nil {
		return Contact{}, err
	}
	c := Contact{Peer: peer}
	for i, f := range found {
		if !f.OK {
			return Contact{}, machine.Corrupt("session %s with %s is missing", peer.Sessions()[i], identity)
		}
		if _, pruned := f.Value.Pruned(); pruned {
			return Contact{}, machine.Corrupt("session %s with %s was pruned and is still listed", f.Value.ID(), identity)
		}
		c.Sessions = append(c.Sessions, f.Value)
	}
	return c, nil
}

// SessionNames returns the names of a peer's sessions.
func SessionNames(p session.Peer) []SessionName {
	var names []SessionName
	for _, id := range p.Sessions() {
		names = append(names, SessionName{p.Identity(), id})
	}
	return names
}

// checkStranger tells a peer that we never met from one whose record was lost.
func checkStranger(tx *txn.Tx, identity ratchet.PublicKey) error {
	for s, err := range Sessions.ScanUnder(tx, txn.PathOf(identity.String())) {
		if err != nil {
			return err
		}
		return machine.Corrupt("there is session %s with %s but no record of that peer", s.ID(), identity)
	}
	return nil
}

// Find returns a live session.
func (c Contact) Find(id ratchet.SessionID) (session.Session, error) {
	for _, s := range c.Sessions {
		if s.ID() == id {
			return s, nil
		}
	}
	return session.Session{}, fmt.Errorf("%w: %s", session.ErrPruned, id)
}

// checkPeers: what a peer lists exists, is live, and is with that peer.
func checkPeers(c *Checkup) {
	sessions := sessionsByID(c)
	for p := range readable(c, &Peers) {
		for _, id := range p.Sessions() {
			s, exists := sessions[id]
			if !exists {
				c.Complain("peer %s lists session %s, which is missing", p.Identity(), id)
				continue
			}
			if s.Peer() != p.Identity() {
				c.Complain("peer %s lists session %s, which is with %s", p.Identity(), id, s.Peer())
			}
			if _, pruned := s.Pruned(); pruned {
				c.Complain("peer %s lists session %s, which was pruned", p.Identity(), id)
			}
		}
	}
}

// PeerInfo is a peer with its sessions, in the order in which they were added.
type PeerInfo struct {
	Curve25519 ratchet.PublicKey
	Version    kv.Version // of the peer's record
	Sessions   []SessionInfo
}

func inspectPeers(tx *txn.Tx, _ *machine.Account, out *Inspection) error {
	for p, err := range Peers.Scan(tx) {
		if err != nil {
			return err
		}
		info, err := inspectPeer(tx, p)
		if err != nil {
			return err
		}
		out.Peers = append(out.Peers, info)
	}
	slices.SortFunc(out.Peers, func(a, b PeerInfo) int {
		return cmp.Compare(a.Curve25519.String(), b.Curve25519.String())
	})
	return nil
}

func inspectPeer(tx *txn.Tx, p session.Peer) (PeerInfo, error) {
	c, err := ReadContact(tx, p.Identity())
	if err != nil {
		return PeerInfo{}, err
	}
	version, err := Peers.Version(tx, p.Identity())
	if err != nil {
		return PeerInfo{}, err
	}
	info := PeerInfo{Curve25519: p.Identity(), Version: version}
	for _, s := range c.Sessions {
		one, err := inspectSession(tx, s)
		if err != nil {
			return PeerInfo{}, err
		}
		info.Sessions = append(info.Sessions, one)
	}
	return info, nil
}
