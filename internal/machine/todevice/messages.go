package todevice

import (
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// hintedPeers is how many peers' sessions are remembered: about 260 bytes each, with a session.
const hintedPeers = 4096

// Messages are the to-device messages of an account. Its methods may be called
// from any number of goroutines.
//
// It remembers hints: which sessions a peer had when its record was last read,
// so that the next call reads them in the same round trip as the record. They
// are names and nothing else, and nothing follows from them: what there is, and
// what is in it, comes from the snapshot each time. A hint that is out of date
// costs the second round trip that it saves otherwise.
type Messages struct {
	account *machine.Account
	hints   *lru.Cache[ratchet.PublicKey, session.Peer]
}

// New returns the messages of an account.
func New(a *machine.Account) *Messages {
	hints, _ := lru.New[ratchet.PublicKey, session.Peer](hintedPeers) // fails for sizes below 1
	return &Messages{a, hints}
}

// hinted names the sessions that a peer may have.
func (m *Messages) hinted(peer ratchet.PublicKey) []txn.Ref {
	p, _ := m.hints.Get(peer)
	return sessionRefs(p)
}

func sessionRefs(p session.Peer) []txn.Ref {
	var refs []txn.Ref
	for _, name := range records.SessionNames(p) {
		refs = append(refs, records.Sessions.Ref(name))
	}
	return refs
}

// contact reads a peer and its sessions.
func (m *Messages) contact(tx *txn.Tx, peer ratchet.PublicKey) (records.Contact, error) {
	c, err := records.ReadContact(tx, peer)
	if len(c.Sessions) > 0 {
		m.hints.Add(peer, c.Peer)
	}
	return c, err
}

// nextStamp returns the time that what happens next with a peer must come
// after, so that a clock that went back can neither change which session is
// chosen nor make a receipt expire before its time.
func (m *Messages) nextStamp(a account.Account, c records.Contact) session.Stamp {
	all := []session.Stamp{session.NextStamp(a.Created())}
	for _, s := range c.Sessions {
		all = append(all, s.Created(), s.LastReceived())
	}
	return session.NextStamp(m.account.Store.Now(), all...)
}

// add stores a new session with the peer, pruning another if there are too
// many.
func (m *Messages) add(tx *txn.Tx, c records.Contact, made session.Session) error {
	peer := c.Peer
	if peer.Full() {
		old, _ := session.LeastRecentlyUsed(c.Sessions)
		peer = peer.Remove(old.ID())
		// Not the clock: the tombstone must outlive the receipts of the
		// session's messages, and the clock may have gone back since.
		if err := records.Sessions.Put(tx, old.Prune(made.Created().Time())); err != nil {
			return err
		}
	}
	peer, err := peer.Add(made.ID())
	if err != nil {
		return err
	}
	m.hints.Add(peer.Identity(), peer) // if it is not committed, some records are read for nothing
	if err := records.Peers.Put(tx, peer); err != nil {
		return err
	}
	return records.Sessions.Put(tx, made)
}
