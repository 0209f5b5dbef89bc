package pawl

import (
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
)

// Incoming is a message as an event carries it.
type Incoming struct {
	Sender  ratchet.PublicKey // the event's sender_key
	Message ratchet.Message
}

// incoming is an Incoming that was parsed: all that can be known of it without
// the store.
type incoming struct {
	sender  ratchet.PublicKey
	receipt session.ReceiptID
	normal  ratchet.NormalMessage
	preKey  *ratchet.PreKeyMessage // nil for a normal message
	session ratchet.SessionID      // of a pre-key message
}

// parse fails with ErrMessageType, ratchet.ErrMalformed, ratchet.ErrVersion or
// account.ErrSender.
func parse(in Incoming) (incoming, error) {
	p := incoming{sender: in.Sender, receipt: session.ReceiptOf(in.Sender, in.Message)}
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
func (in incoming) first() []txn.Ref {
	refs := []txn.Ref{receipts.Ref(in.receipt), peers.Ref(in.sender)}
	if in.preKey != nil {
		refs = append(refs, keys.Ref(in.preKey.OneTimeKey), sessions.Ref(sessionName{in.sender, in.session}))
	}
	return refs
}

// second names a sender's sessions. It looks at the peer's record, which the
// first round trip brought.
func second(tx *txn.Tx, sender ratchet.PublicKey) ([]txn.Ref, error) {
	peer, known, err := peers.Get(tx, sender)
	if err != nil || !known {
		return nil, err
	}
	return sessionRefs(peer), nil
}
