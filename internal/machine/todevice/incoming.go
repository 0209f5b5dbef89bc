package todevice

import (
	"errors"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

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
// before the peer's record is there.
func (in parsed) first() []txn.Ref {
	refs := []txn.Ref{records.Receipts.Ref(in.receipt), records.Peers.Ref(in.sender)}
	if in.preKey != nil {
		opened := records.SessionName{Peer: in.sender, ID: in.session}
		refs = append(refs, records.Keys.Ref(in.preKey.OneTimeKey), records.Sessions.Ref(opened))
	}
	return refs
}

// second names a sender's sessions. It looks at the peer's record, which the
// first round trip brought.
func second(tx *txn.Tx, sender ratchet.PublicKey) ([]txn.Ref, error) {
	peer, known, err := records.Peers.Get(tx, sender)
	if err != nil || !known {
		return nil, err
	}
	return sessionRefs(peer), nil
}
