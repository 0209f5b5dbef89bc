package pawl

import (
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// contact is a peer with all of its live sessions, as one transaction sees
// them.
type contact struct {
	peer     session.Peer
	sessions []session.Session
}

// contact reads a peer and its sessions, in one round trip beyond the peer's
// record unless they were hinted at.
func (m *Machine) contact(tx *txn.Tx, curve ratchet.PublicKey) (contact, error) {
	peer, known, err := peers.Get(tx, curve)
	if err != nil {
		return contact{}, err
	}
	if !known {
		return contact{peer: session.NewPeer(curve)}, m.checkStranger(tx, curve)
	}
	m.hints.learn(peer)
	found, err := sessions.GetAll(tx, sessionNames(peer)...)
	if err != nil {
		return contact{}, err
	}
	c := contact{peer: peer}
	for i, f := range found {
		if !f.OK {
			return contact{}, corrupt("session %s with %s is missing", peer.Sessions()[i], curve)
		}
		if _, pruned := f.Value.Pruned(); pruned {
			return contact{}, corrupt("session %s with %s was pruned and is still listed", f.Value.ID(), curve)
		}
		c.sessions = append(c.sessions, f.Value)
	}
	return c, nil
}

// checkStranger tells a peer that we never met from one whose record was lost.
func (m *Machine) checkStranger(tx *txn.Tx, curve ratchet.PublicKey) error {
	for s, err := range sessions.ScanUnder(tx, txn.Spelled(curve)) {
		if err != nil {
			return err
		}
		return corrupt("there is session %s with %s but no record of that peer", s.ID(), curve)
	}
	return nil
}

func sessionNames(p session.Peer) []sessionName {
	var names []sessionName
	for _, id := range p.Sessions() {
		names = append(names, sessionName{p.Identity(), id})
	}
	return names
}

// find returns a live session.
func (c contact) find(id ratchet.SessionID) (session.Session, error) {
	for _, s := range c.sessions {
		if s.ID() == id {
			return s, nil
		}
	}
	return session.Session{}, fmt.Errorf("%w: %s", session.ErrPruned, id)
}

// stamps returns the times that what happens next must come after, so that a
// clock that went back can neither change which session is chosen nor make a
// receipt expire before its time.
func (c contact) stamps(a account.Account) []session.Stamp {
	all := []session.Stamp{session.NextStamp(a.Created())}
	for _, s := range c.sessions {
		all = append(all, s.Created(), s.LastReceived())
	}
	return all
}

// add stores a new session with the peer, pruning another if there are too
// many.
func (m *Machine) add(tx *txn.Tx, c contact, made session.Session) error {
	peer := c.peer
	if peer.Full() {
		old, _ := session.LeastRecentlyUsed(c.sessions)
		peer = peer.Remove(old.ID())
		// Not the clock: the tombstone must outlive the receipts of the
		// session's messages, and the clock may have gone back since.
		if err := sessions.Put(tx, old.Prune(made.Created().Time())); err != nil {
			return err
		}
	}
	peer, err := peer.Add(made.ID())
	if err != nil {
		return err
	}
	m.hints.learn(peer) // if it is not committed, some records are read for nothing
	if err := peers.Put(tx, peer); err != nil {
		return err
	}
	return sessions.Put(tx, made)
}
