package todevice

import (
	"errors"

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
	if len(c.Sessions) > 0 && c.Lost == nil {
		m.hints.Add(peer, c.Peer)
	}
	m.account.Store.Tell(tx, c.Damages())
	return c, err
}

// moment returns the moment of what happens next with a peer. In format 1 its
// time comes after all others, so that a clock that went back can neither change
// which session is chosen nor make a receipt expire before its time.
func (m *Messages) moment(a account.Account, c records.Contact) session.Moment {
	all := []session.Stamp{session.NextStamp(a.Created())}
	for _, s := range c.Sessions {
		all = append(all, s.Created(), s.LastReceived())
	}
	return session.Moment{Time: session.NextStamp(m.account.Store.Now(), all...).Time()}
}

// add stores a new session with the peer, pruning another if there are too
// many. It needs the peer's record.
func (m *Messages) add(tx *txn.Tx, a account.Account, c records.Contact, made session.Session) error {
	if c.Lost != nil {
		return c.Lost
	}
	peer := c.Peer
	switch {
	case !peer.Full():
	case len(c.Broken) > 0: // none that can be read goes for it
		gone := records.SessionName{Peer: peer.Identity(), ID: c.Broken[0].ID}
		if err := records.SetSessionAside(tx, m.account, gone, c.Broken[0].Err); err != nil {
			return err
		}
		peer = peer.Remove(gone.ID)
	default:
		old, _ := session.LeastRecentlyUsed(c.Sessions)
		peer = peer.Remove(old.ID())
		if err := prune(tx, a, old, made); err != nil {
			return err
		}
	}
	peer = rate(a, c, peer, made.Acquaints())
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

// prune gives a session up for one that is made. In format 1 it leaves its
// tombstone, of the time of the other and not the clock's, which may have gone
// back since: a tombstone outlives the receipts of the session's messages.
func prune(tx *txn.Tx, a account.Account, old, made session.Session) error {
	if a.Raised() {
		return records.Forget(tx, old)
	}
	return records.Sessions.Put(tx, old.Prune(made.Created().Time()))
}

// rate returns the peer's record with what the peer is to us. In format 1 it has
// no place for that.
func rate(a account.Account, c records.Contact, peer session.Peer, acquaints bool) session.Peer {
	switch standing := c.Standing(); {
	case !a.Raised():
		return peer.Rated(session.Unrated)
	case acquaints:
		return peer.Rated(session.Acquainted)
	default:
		return peer.Rated(standing)
	}
}

// ErrMessageType: see package pawl.
var ErrMessageType = errors.New("pawl: message type is neither 0 (pre-key) nor 1 (normal)")

// Incoming is a message as an event carries it.
type Incoming struct {
	Sender  ratchet.PublicKey // the event's sender_key
	Message ratchet.Message
}

// parsed is an Incoming as far as it can be known without the store.
type parsed struct {
	sender  ratchet.PublicKey
	receipt session.ReceiptID
	normal  ratchet.NormalMessage
	preKey  *ratchet.PreKeyMessage // nil for a normal message
	session ratchet.SessionID      // of a pre-key message
}

// parse fails with ErrMessageType, ratchet.ErrMalformed, ratchet.ErrVersion or
// account.ErrSender.
func parse(in Incoming) (parsed, error) {
	p := parsed{sender: in.Sender, receipt: session.ReceiptOf(in.Sender, in.Message)}
	var err error
	switch in.Message.Type {
	case ratchet.Normal:
		p.normal, err = ratchet.ParseNormalMessage(in.Message.Body)
	case ratchet.PreKey:
		var m ratchet.PreKeyMessage
		m, err = ratchet.ParsePreKeyMessage(in.Message.Body)
		if err == nil && m.IdentityKey != in.Sender {
			err = &account.SenderError{Claimed: in.Sender, Message: m.IdentityKey}
		}
		p.normal, p.preKey, p.session = m.Normal, &m, m.SessionID()
	default:
		err = ErrMessageType
	}
	return p, err
}

// first names what the first round trip reads: all that is known by name
// before the peer's record is there, but the session.
func (in parsed) first() []txn.Ref {
	refs := []txn.Ref{records.Receipts.Ref(in.receipt), records.Peers.Ref(in.sender)}
	if in.preKey != nil {
		refs = append(refs, records.Keys.Ref(in.preKey.OneTimeKey))
	}
	return refs
}

// opened names the session of a pre-key message and its mark, which need not be
// there.
func (in parsed) opened() []txn.Ref {
	if in.preKey == nil {
		return nil
	}
	return []txn.Ref{records.Sessions.Ref(records.SessionName{Peer: in.sender, ID: in.session}), records.Marks.Ref(in.session)}
}

// second names a sender's sessions. It looks at the peer's record, which the
// first round trip brought.
func second(tx *txn.Tx, sender ratchet.PublicKey) ([]txn.Ref, error) {
	peer, known, err := records.Peers.Get(tx, sender)
	if errors.As(err, new(*txn.RecordError)) {
		return nil, nil // that is for its own messages to find
	}
	if err != nil || !known {
		return nil, err
	}
	return sessionRefs(peer), nil
}
