package receive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/jsonobject"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/parallel"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// outcome is what became of an event.
type outcome struct {
	event     *Event
	refused   *Refusal
	keys      []RoomKey
	duplicate bool // all that it does was done before
}

// apart reports whether an event may be decrypted before those that come before it were
// taken: it is known whose its sender key is, and what is taken changes that of keys
// only that several devices claim.
func (c *call) apart(tx *txn.Tx, i int) bool {
	owner, owned, err := c.owner(tx, c.events[i])
	return err == nil && owned && !owner.Open
}

// ahead reads at once what taking events that were decrypted looks at, as far as what
// they say tells. The room keys that they bring are verified meanwhile.
func (c *call) ahead(tx *txn.Tx, first int, results []todevice.Result) error {
	events := c.events[first : first+len(results)]
	for i := range events {
		parallel.Rest()
		e := &events[i]
		e.payload, e.roomKey = nil, roomkeys.Content{}
		if e.olm != nil && results[i].Err == nil {
			e.payload, _ = jsonobject.Members(results[i].Plaintext)
		}
	}
	defer verify(events)()
	var refs []txn.Ref
	met := make(map[ratchet.PublicKey]bool)
	for i, e := range events {
		if e.olm == nil || results[i].Err != nil {
			continue
		}
		if owner, owned, err := c.owner(tx, e); err == nil && owned && !owner.Open && !met[e.olm.Sender] {
			met[e.olm.Sender] = true
			refs = append(refs, c.others.Sends(owner.Claimers[0])...)
		}
		if s, ok := givenIn(e.payload); ok {
			refs = append(refs, c.others.Gives(s)...)
		}
	}
	return tx.Prefetch(refs...)
}

// keysAtOnce is for how many room keys a goroutine is worth what it takes to wake it.
const keysAtOnce = 4

// verify begins to read the room keys that events bring, on all processors: the
// signature of one takes as long as all the rest of its event. The events have them
// after end.
func verify(events []event) (end func()) {
	var with []int
	for i := range events {
		if events[i].givesKey() {
			with = append(with, i)
		}
	}
	keys := make([]roomkeys.Content, len(with))
	done := parallel.Begin(len(with), keysAtOnce, func(k int) { keys[k] = roomkeys.Read(typeRoomKey, events[with[k]].payload["content"]) })
	return func() {
		done()
		for k, i := range with {
			events[i].roomKey = keys[k]
		}
	}
}

// givenIn returns the session that a payload says to have the key of.
func givenIn(payload map[string]json.RawMessage) (s group.SessionID, ok bool) {
	if kind, _ := jsonobject.Text(payload["type"]); kind != typeRoomKey && kind != typeForwardedKey {
		return s, false
	}
	content, _ := jsonobject.Split(payload["content"])
	id, _ := jsonobject.Text(content["session_id"])
	s, err := group.ParseSessionID(id)
	return s, err == nil
}

// each takes one event in its turn: r is its decryption, if it is encrypted. Nothing
// in the event ends the call, so that none can keep the others from being taken.
func (c *call) each(tx *txn.Tx, i int, r todevice.Result) (outcome, error) {
	e := c.events[i]
	v, err := c.active(tx)
	if err != nil {
		return outcome{}, err
	}
	at, err := c.account.Moment(tx, v, r.Place)
	if err != nil {
		return outcome{}, err
	}
	out, err := c.take(tx, v, e, r)
	if ends(err) {
		return outcome{}, err
	}
	if err != nil {
		if err := c.unreadable(tx, e, at, err); err != nil {
			return outcome{}, err
		}
		if out.refused, err = c.refuse(tx, e, at, err); err != nil {
			return outcome{}, err
		}
	}
	c.returned = c.returned || out.event != nil // if the attempt is lost that costs a look
	if e.kept && (out.refused == nil || !out.refused.Kept) {
		err = c.passOver(tx, records.UnreadEvents.Remove(tx, e.number))
	}
	return out, err
}

// unreadable tells of an encrypted event that was not taken. One that was kept came when
// it was kept.
func (c *call) unreadable(tx *txn.Tx, e event, at record.Moment, why error) error {
	if e.olm == nil || e.err != nil {
		return nil
	}
	if e.kept {
		at = e.at
	}
	return c.passOver(tx, c.others.Unreadable(tx, at, e.sender, e.olm.Sender, why))
}

// ends reports an error that is not of the event: the call cannot go on, and the
// event is as it was. What the store could not do is known to the transaction.
func ends(err error) bool {
	for _, of := range []error{
		machine.ErrNoAccount, account.ErrRetired, kv.ErrNewer, context.Canceled, context.DeadlineExceeded,
	} {
		if errors.Is(err, of) {
			return true
		}
	}
	return false
}

// take hands an event to whom it is for.
func (c *call) take(tx *txn.Tx, v account.Account, e event, r todevice.Result) (outcome, error) {
	switch {
	case e.err != nil:
		return outcome{}, e.err
	case e.olm == nil:
		return c.takePlain(tx, v, e, r.Place)
	case errors.Is(r.Err, todevice.ErrAlreadyProcessed):
		return outcome{duplicate: true}, nil
	case r.Err != nil:
		return outcome{}, r.Err
	}
	return c.takeDecrypted(tx, v, e, r)
}

// takePlain takes an event that nobody vouches for but the server.
func (c *call) takePlain(tx *txn.Tx, v account.Account, e event, place int) (out outcome, err error) {
	m := Message{Type: e.kind, Content: e.content, From: From{User: e.sender}, Place: place}
	switch e.kind {
	case typeRoomKey, typeForwardedKey, typeSecret, typeDummy:
		return out, fmt.Errorf("%w: %s", ErrUnencrypted, e.kind)
	case typeWithheld, typeOldWithheld:
		out.keys, err = c.others.RoomKey(tx, v, m)
	case typeKeyRequest:
		err = c.others.KeyRequest(tx, v, m)
	default:
		out.event = &Event{Index: e.index, Sender: e.sender, Type: e.kind, Content: e.content}
	}
	return out, err
}

// takeDecrypted checks what a decrypted event says, and takes it. What Pawl handles
// is done with when it is committed, so its receipt keeps nothing. That of an event
// which fails the checks keeps the means to check it again: whoever copies another's
// event to send it as theirs must not take it from who it is of.
func (c *call) takeDecrypted(tx *txn.Tx, v account.Account, e event, r todevice.Result) (out outcome, err error) {
	m, err := c.open(tx, e, r)
	if err != nil {
		return out, err
	}
	if r.Reopened && m.From.Device != nil {
		if err := c.passOver(tx, c.others.Reopened(tx, *m.From.Device, r.Session)); err != nil {
			return out, err
		}
	}
	switch m.Type {
	case typeRoomKey, typeForwardedKey, typeWithheld, typeOldWithheld:
		m.Read = e.roomKey
		out.keys, err = c.others.RoomKey(tx, v, m)
	case typeKeyRequest:
		err = c.others.KeyRequest(tx, v, m)
	case typeDummy:
	case typeEncrypted:
		return out, fmt.Errorf("%w: in another", ErrNotOlm)
	default:
		out.event = &Event{
			Index: e.index, Sender: e.sender, Type: m.Type, Content: m.Content, Encrypted: true,
			SenderKey: m.From.Curve25519, Ed25519: m.From.Ed25519, Duplicate: r.Duplicate, Receipt: r.Receipt,
		}
		if m.From.Device != nil {
			out.event.Device = m.From.Device.Device
		}
		if e.kept {
			out.event.Kept = e.raw
		}
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.duplicate = r.Duplicate
	return out, settle(tx, r)
}

// settle erases what would answer the event again: all that it does is done.
func settle(tx *txn.Tx, r todevice.Result) error {
	receipt, ok, err := records.Receipts.Get(tx, r.Receipt)
	if err != nil || !ok {
		return err
	}
	return records.Receipts.Put(tx, receipt.Acknowledged())
}

// open checks what a decrypted event says.
func (c *call) open(tx *txn.Tx, e event, r todevice.Result) (Message, error) {
	owner, owned, err := c.owner(tx, e)
	if err != nil {
		return Message{}, err
	}
	want := expected{
		sender: e.sender, senderKey: e.olm.Sender, own: c.identity.UserID, ownKey: c.identity.Ed25519, proofs: c.proofs,
	}
	var known *device.Device
	if owned && !owner.Open {
		if known, err = c.device(tx, owner.Claimers[0]); err != nil {
			return Message{}, err
		}
	}
	if known != nil {
		want.known = &known.Ed25519
	}
	p, err := checkMembers(e.payload, want)
	if err != nil {
		return Message{}, err
	}
	if owned && owner.Open {
		if known, err = c.prove(tx, owner, e.sender, p.ed25519); err != nil {
			return Message{}, err
		}
	}
	if !owned {
		if err := c.bind(tx, e); err != nil {
			return Message{}, err
		}
	}
	if known != nil && !known.Gone.IsZero() {
		known = nil // whose key it is stays known, and the device is not trusted any more
	}
	from := From{User: e.sender, Curve25519: e.olm.Sender, Ed25519: p.ed25519, Device: known, Proved: p.device}
	return Message{Type: p.kind, Content: p.content, From: from, Encrypted: true, Place: r.Place}, nil
}

// refuse records that an event was not taken and why. One that our own damage kept
// from being read is kept for later, whole.
func (c *call) refuse(tx *txn.Tx, e event, at record.Moment, why error) (*Refusal, error) {
	r := &Refusal{Index: e.index, Sender: e.sender, Type: e.kind, Err: why}
	if machine.IsDamage(why) {
		c.account.Store.Tell(tx, []error{why})
		if r.Kept = e.kept; r.Kept {
			return r, nil
		}
		if len(e.raw) <= c.account.Store.DB.Store().Limits().Bytes/2 {
			var err error
			r.Kept, err = records.KeepUnread(tx, records.Unread{At: at, Sender: e.sender, Event: e.tag(), Raw: bytes.Clone(e.raw), Why: why.Error()})
			return r, c.passOver(tx, err)
		}
	}
	refused := records.Refused{At: at, Sender: e.sender, Type: e.kind, Why: why.Error(), Event: e.tag()}
	if e.olm != nil {
		refused.SenderKey = e.olm.Sender
	}
	if c.others.CodeOf != nil {
		refused.Code = c.others.CodeOf(why)
	}
	return r, c.passOver(tx, records.KeepRefused(tx, refused))
}
