package todevice

import (
	"errors"
	"sync/atomic"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Messages are the to-device messages of an account. Its methods may be called
// from any number of goroutines.
type Messages struct {
	account *machine.Account
	hints   hints
	format  atomic.Pointer[format] // when the account was last read; nil: never
}

// New returns the messages of an account.
func New(a *machine.Account) *Messages { return &Messages{account: a, hints: newHints()} }

// contact reads a peer and its sessions.
func (m *Messages) contact(tx *txn.Tx, peer ratchet.PublicKey) (records.Contact, error) {
	c, err := records.ReadPeer(tx, peer)
	if err != nil {
		return c, err
	}
	return m.whole(tx, c)
}

// whole reads the sessions of a contact, if they were not read yet.
func (m *Messages) whole(tx *txn.Tx, c records.Contact) (records.Contact, error) {
	c, err := c.Whole(tx)
	if len(c.Sessions) > 0 && c.Lost == nil {
		m.hints.read(c)
	}
	m.account.Store.Tell(tx, c.Damages())
	return c, err
}

// moment returns the moment of what happens next with a peer. In format 1 its
// time comes after all others, so that a clock that went back can neither change
// which session is chosen nor make a receipt expire before its time; it has no
// order.
func (m *Messages) moment(tx *txn.Tx, a account.Account, c records.Contact, place int) (session.Moment, error) {
	if a.Raised() {
		return m.account.Moment(tx, a, place)
	}
	all := []session.Stamp{session.NextStamp(a.Created())}
	for _, s := range c.Sessions {
		all = append(all, s.Created(), s.LastReceived())
	}
	return session.Moment{Time: session.NextStamp(m.account.Store.Now(), all...).Time()}, nil
}

// add stores a new session with the peer, pruning another if there are too
// many. It needs the peer's record.
func (m *Messages) add(tx *txn.Tx, a account.Account, c records.Contact, made session.Session) error {
	if c.Lost != nil {
		return c.Lost
	}
	peer := c.Peer
	if peer.Full() {
		var err error
		if c, err = m.whole(tx, c); err != nil {
			return err
		}
	}
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
	m.hints.has(peer)
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
	sender   ratchet.PublicKey
	receipt  session.ReceiptID
	receipt1 session.ReceiptID // in format 1
	normal   ratchet.NormalMessage
	preKey   *ratchet.PreKeyMessage // nil for a normal message
	session  ratchet.SessionID      // of a pre-key message
	place    int                    // in its commit
}

// parse fails with ErrMessageType, ratchet.ErrMalformed, ratchet.ErrVersion or
// account.ErrSender.
func parse(in Incoming) (parsed, error) {
	p := parsed{sender: in.Sender, receipt1: session.ReceiptOf1(in.Sender, in.Message)}
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
	if err == nil {
		p.receipt = session.ReceiptOf(in.Sender, p.normal)
	}
	return p, err
}

// receipts names the receipts that the message may have.
func (in parsed) receipts(f format) []session.ReceiptID {
	switch {
	case !f.raised:
		return []session.ReceiptID{in.receipt1}
	case f.oldReceipts:
		return []session.ReceiptID{in.receipt, in.receipt1}
	}
	return []session.ReceiptID{in.receipt}
}

// first names what the first round trip reads of a message: all that is known by
// name before the peer's record is there, but sessions.
func (m *Messages) first(in parsed) (refs []txn.Ref) {
	f := m.lastFormat()
	for _, id := range in.receipts(f) {
		refs = append(refs, records.Receipts.Ref(id))
	}
	_, how := m.hints.sessionFor(in)
	if f.raised && how == sure {
		return refs
	}
	refs = append(refs, records.Peers.Ref(in.sender))
	if in.preKey != nil { // and what opening a session with a fallback key, or with none of ours, looks at
		refs = append(refs, records.Keys.Ref(in.preKey.OneTimeKey), records.Pool.Ref(), records.UploadStates.Ref())
	}
	if in.preKey != nil && how != sure {
		refs = append(refs, records.Marks.Ref(in.session))
	}
	return refs
}

// sessionOf names the session that a message may be of, which need not be there,
// and reports whether it is likely to need no other.
func (m *Messages) sessionOf(in parsed) (refs []txn.Ref, alone bool) {
	id, how := m.hints.sessionFor(in)
	if how == unknown {
		return nil, false
	}
	refs = append(refs, records.Sessions.Ref(records.SessionName{Peer: in.sender, ID: id}))
	return refs, m.lastFormat().raised && (how == sure || in.preKey == nil)
}

// second names a sender's sessions, and reports whether there is no record to name them,
// so that they are looked for. It looks at the peer's record, which the first round trip
// brought.
func second(tx *txn.Tx, sender ratchet.PublicKey) (sessions []records.SessionName, stranger bool, err error) {
	peer, known, err := records.Peers.Get(tx, sender)
	if errors.As(err, new(*txn.RecordError)) {
		return nil, machine.IsDamage(err) && !machine.IsSetAside(err), nil // that is for its own messages to find
	}
	if err != nil || !known {
		return nil, !known, err
	}
	return records.SessionNames(peer), false, nil
}
