package aftermath

import (
	"maps"
	"slices"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/kv/witness"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
)

// slot names a message key. Two ciphertexts under one are the catastrophe.
type slot struct {
	session ratchet.SessionID
	chain   ratchet.PublicKey
	index   uint32
}

// slotOf reads from a message which key it was encrypted with.
func slotOf(e pawl.Encrypted) (slot, error) {
	normal, err := e.Message.Body, error(nil)
	var m ratchet.NormalMessage
	if e.Message.Type == ratchet.PreKey {
		var outer ratchet.PreKeyMessage
		outer, err = ratchet.ParsePreKeyMessage(normal)
		m = outer.Normal
	} else {
		m, err = ratchet.ParseNormalMessage(normal)
	}
	return slot{e.Session, m.RatchetKey, m.Index}, err
}

// heard is a message that the device was given.
type heard struct {
	message ratchet.Message
	text    string
	receipt session.ReceiptID
	done    bool // acknowledged
}

// moment is what the world knows when a call has returned.
type moment struct {
	slots map[slot]bool   // of ciphertexts that were released
	ids   map[otk.ID]bool // of keys that were offered
	heard []heard
	spare ratchet.PublicKey // a key of the device's that nobody has used
	peer  *peer
	mark  witness.Mark

	// next is the call that may be under way: the message that it gives, or
	// the receipt that it acknowledges.
	next call
}

type call struct {
	message *heard
	receipt session.ReceiptID
}

// after returns the moment to be changed into the one after it.
func (m *moment) after() *moment {
	n := *m
	n.slots, n.ids = maps.Clone(m.slots), maps.Clone(m.ids)
	n.heard, n.next = slices.Clone(m.heard), call{}
	return &n
}
