package records

import (
	"cmp"
	"slices"

	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Peers: which sessions there are with a device, peer/<curve25519>.
var Peers = txn.Record[ratchet.PublicKey, session.Peer]{
	Kind: "peer", Codec: machine.Encoded[session.Peer]{Read: session.DecodePeer}, Steady: true,
	Name: session.Peer.Identity, Path: txn.Spelled[ratchet.PublicKey],
}

func peerKind() Kind {
	return Kind{
		Records: many(&Peers), Check: checkPeers, Broken: repairPeer, Sweep: sweepStrangers, Inspect: inspectPeers,
	}
}

// Contact is a peer with all of its live sessions, as one transaction sees
// them.
type Contact struct {
	Peer     session.Peer
	Known    bool              // there is a record of the peer, or was one
	Sessions []session.Session // those that can be read
	// Broken are the sessions that the peer has and that cannot be read. Nothing
	// can be sent in them, and what is received in them cannot be told.
	Broken []Broken
	// Lost says why the peer's own record cannot be read, nil if it can: which
	// sessions there are is not certain, so that none can be added, and none
	// chosen to send in. Sessions are those that were found without it.
	Lost error

	unread bool // the sessions were not read yet
}

// Broken is a session that cannot be read, and why.
type Broken struct {
	ID  ratchet.SessionID // the zero one if that is not known
	Err error
}

// ReadContact reads a peer and its sessions, in one round trip beyond the
// peer's record unless they were prefetched. A peer that we never met has no
// session. What is damaged is in the Contact; any other error is returned.
func ReadContact(tx *txn.Tx, identity ratchet.PublicKey) (Contact, error) {
	c, err := ReadPeer(tx, identity)
	if err != nil {
		return c, err
	}
	return c.Whole(tx)
}

// ReadPeer is ReadContact without the sessions that the peer's record lists,
// which [Contact.Whole] reads.
func ReadPeer(tx *txn.Tx, identity ratchet.PublicKey) (Contact, error) {
	peer, known, err := Peers.Get(tx, identity)
	switch {
	case machine.IsSetAside(err):
		return Contact{Peer: session.NewPeer(identity).Rated(session.Acquainted), Known: true}, nil // all that it had is gone
	case machine.IsDamage(err):
		return findContact(tx, identity, err)
	case err != nil:
		return Contact{}, err
	case !known:
		return findContact(tx, identity, nil)
	}
	return Contact{Peer: peer, Known: true, unread: true}, nil
}

// Whole returns the contact with its sessions.
func (c Contact) Whole(tx *txn.Tx) (Contact, error) {
	if !c.unread {
		return c, nil
	}
	c.unread = false
	found, err := Sessions.GetAll(tx, SessionNames(c.Peer)...)
	if err != nil {
		return Contact{}, err
	}
	for i, f := range found {
		if err := c.take(c.Peer.Sessions()[i], f); err != nil {
			return Contact{}, err
		}
	}
	return c, nil
}

// take takes in one of the sessions that the peer lists.
func (c *Contact) take(id ratchet.SessionID, f txn.Found[session.Session]) error {
	_, pruned := f.Value.Pruned()
	switch {
	case machine.IsSetAside(f.Err):
		c.Broken = append(c.Broken, Broken{id, machine.Corrupt("session %s with %s was set aside and is still listed", id, c.Peer.Identity())})
	case machine.IsDamage(f.Err):
		c.Broken = append(c.Broken, Broken{id, f.Err})
	case f.Err != nil:
		return f.Err
	case !f.OK:
		c.Broken = append(c.Broken, Broken{id, machine.Corrupt("session %s with %s is missing", id, c.Peer.Identity())})
	case pruned:
		c.Broken = append(c.Broken, Broken{id, machine.Corrupt("session %s with %s was pruned and is still listed", id, c.Peer.Identity())})
	default:
		c.Sessions = append(c.Sessions, f.Value)
	}
	return nil
}

// findContact looks for a peer's sessions where there is no record of the peer,
// or one that is lost: it tells a peer that we never met from one whose record
// is gone. It finds as many as a peer may have, tombstones of others among them: a
// message of one that it does not find waits for the repair.
func findContact(tx *txn.Tx, identity ratchet.PublicKey, lost error) (Contact, error) {
	c := Contact{Peer: session.NewPeer(identity), Lost: lost}
	for s, err := range Sessions.Some(tx, pathOfPeer(identity), session.MaxPerPeer) {
		_, pruned := s.Pruned()
		switch {
		case machine.IsDamage(err):
			c.Broken = append(c.Broken, Broken{Err: err})
		case err != nil:
			return Contact{}, err
		case !pruned:
			c.Sessions = append(c.Sessions, s)
		}
		if c.Lost == nil {
			c.Lost = machine.Corrupt("there are sessions with %s but no record of that peer", identity)
		}
	}
	return c, nil
}

func pathOfPeer(identity ratchet.PublicKey) txn.Path { return txn.PathOf(identity.String()) }

// Prefetch reads records, and in the same round trip what [ReadPeer] looks for of peers
// whose own record is not there or cannot be read.
func Prefetch(tx *txn.Tx, refs []txn.Ref, strangers ...ratchet.PublicKey) error {
	under := make([]txn.Ref, len(strangers))
	for i, identity := range strangers {
		under[i] = Sessions.Under(pathOfPeer(identity))
	}
	return tx.PrefetchSome(session.MaxPerPeer, under, refs...)
}

// SessionNames returns the names of a peer's sessions.
func SessionNames(p session.Peer) []SessionName {
	var names []SessionName
	for _, id := range p.Sessions() {
		names = append(names, SessionName{p.Identity(), id})
	}
	return names
}

// Find returns one of the sessions, if the peer has it. The error says why it
// cannot be read.
func (c Contact) Find(id ratchet.SessionID) (s session.Session, has bool, err error) {
	for _, s := range c.Sessions {
		if s.ID() == id {
			return s, true, nil
		}
	}
	for _, b := range c.Broken {
		if b.ID == id {
			return s, true, b.Err
		}
	}
	return s, false, nil
}

// Damages returns what is damaged of the contact.
func (c Contact) Damages() (all []error) {
	if c.Lost != nil {
		all = append(all, c.Lost)
	}
	for _, b := range c.Broken {
		all = append(all, b.Err)
	}
	return all
}

// PeerInfo is a peer with its sessions, in the order in which they were added.
type PeerInfo struct {
	Curve25519 ratchet.PublicKey
	Version    kv.Version // of the peer's record
	Sessions   []SessionInfo
}

func inspectPeers(tx *txn.Tx, _ *machine.Account, out *Inspection, damaged *machine.Damages) error {
	identities, err := peersAndStrays(tx, damaged)
	if err != nil {
		return err
	}
	for identity := range identities {
		info, err := inspectPeer(tx, identity, damaged)
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

// peersAndStrays returns the peers that have a record, and those that have
// sessions without one.
func peersAndStrays(tx *txn.Tx, damaged *machine.Damages) (map[ratchet.PublicKey]bool, error) {
	all := map[ratchet.PublicKey]bool{}
	for p, err := range Peers.Scan(tx) {
		if err != nil && !damaged.Note(err) {
			return nil, err
		}
		if err == nil {
			all[p.Identity()] = true
		}
	}
	for s, err := range Sessions.Scan(tx) {
		if err != nil && !damaged.Note(err) {
			return nil, err
		}
		if _, pruned := s.Pruned(); err == nil && !pruned {
			all[s.Peer()] = true
		}
	}
	return all, nil
}

func inspectPeer(tx *txn.Tx, identity ratchet.PublicKey, damaged *machine.Damages) (PeerInfo, error) {
	c, err := ReadContact(tx, identity)
	if err != nil {
		return PeerInfo{}, err
	}
	damaged.Add(c.Damages()...)
	version, err := Peers.Version(tx, identity)
	if err != nil {
		return PeerInfo{}, err
	}
	info := PeerInfo{Curve25519: identity, Version: version}
	for _, s := range c.Sessions {
		one, err := InspectSession(tx, s)
		if err != nil {
			return PeerInfo{}, err
		}
		info.Sessions = append(info.Sessions, one)
	}
	return info, nil
}
