package roomkeys

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/secret"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// Event is an event of a room, of type m.room.encrypted.
type Event struct {
	Room    matrix.RoomID
	ID      matrix.EventID // "": not known yet; the event is checked, and not recorded
	Sender  matrix.UserID
	Content json.RawMessage
	// AllowMismatched: it is read whosever device made its session.
	AllowMismatched bool
}

// Opened is an event that was read.
type Opened struct {
	secret.Guard
	Type       string
	Content    json.RawMessage
	StateKey   *string // nil: not a state event
	Session    group.SessionID
	Index      uint32
	Provenance group.Provenance
	Sender     Party
	Forwarder  *Party // who forwarded the key or gave the bundle, nil if nobody did
	// SharedHistory: whoever joins later may be given the key.
	SharedHistory bool
	Damaged       int // records that the answer was made without
}

// encrypted is an event as far as it can be read without a key.
type encrypted struct {
	Event
	session group.SessionID
	message group.Message
	relates json.RawMessage // nil: none
}

func parse(e Event) (encrypted, error) {
	in := encrypted{Event: e}
	for _, err := range []error{e.Room.Check(), e.Sender.Check(), checkEventID(e.ID)} {
		if err != nil {
			return in, err
		}
	}
	o, err := parseObject(e.Content)
	if err != nil {
		return in, err
	}
	if err := o.megolm(); err != nil {
		return in, err
	}
	if in.session, err = o.sessionID(); err != nil {
		return in, err
	}
	text, err := o.text("ciphertext")
	if err != nil {
		return in, err
	}
	body, ok := unpadded.Decode(text)
	if !ok {
		return in, fmt.Errorf("%w: ciphertext is not base64", ErrContent)
	}
	if o.isObject(relatesTo) {
		in.relates = o[relatesTo]
	}
	in.message, err = group.ParseMessage(body)
	return in, err
}

func checkEventID(id matrix.EventID) error {
	if id == "" {
		return nil
	}
	return id.Check()
}

// Decrypt reads an event of a room. An index of a session is one event's: which, is
// stored with the answer, unless it was before.
func (k *Keys) Decrypt(ctx context.Context, e Event) (Opened, error) {
	in, err := parse(e)
	if err != nil {
		return Opened{}, err
	}
	var out Opened
	err = records.OnRaised(ctx, k.account, func() error {
		out, err = txn.Do(ctx, k.account.DB, func(tx *txn.Tx) (Opened, error) { return k.decrypt(tx, in) })
		return err
	})
	if (errors.Is(err, group.ErrNoKey) || errors.Is(err, group.ErrTooEarly)) && k.Lacks != nil {
		if err := k.Lacks(ctx, e.Sender, records.RoomSession{Room: e.Room, ID: in.session}); err != nil {
			k.account.Store.Log.WarnContext(ctx, "own devices could not be asked for a room key", "error", err)
		}
	}
	return out, err
}

func (k *Keys) decrypt(tx *txn.Tx, in encrypted) (Opened, error) {
	row := records.Replay{ReplayName: records.ReplayName{Session: in.session, Index: in.message.Index}}
	if err := tx.Prefetch(k.first(in, row)...); err != nil {
		return Opened{}, err
	}
	if _, err := k.account.ActiveRaised(tx); err != nil {
		return Opened{}, err
	}
	opened, err := k.open(tx, in)
	if err != nil {
		return Opened{}, k.explain(tx, in, err)
	}
	// The message is the session's. Is the event the one that has it?
	stored, known, err := records.Replays.Get(tx, row.ReplayName)
	if err != nil && !machine.IsSetAside(err) {
		return Opened{}, err
	}
	row.Event = records.EventDigest(k.account.Store.Digest("event", string(in.ID)))
	if known && (in.ID == "" || stored.Event != row.Event) {
		return Opened{}, fmt.Errorf("%w: message %d of session %s", ErrReplay, opened.Index, in.session)
	}
	out, err := in.read(opened.Text)
	if err != nil {
		return Opened{}, err
	}
	if err := k.who(tx, in, opened, &out); err != nil {
		return Opened{}, err
	}
	if !known && in.ID != "" {
		if err := records.Replays.Put(tx, row); err != nil {
			return Opened{}, err
		}
		tx.Unsynced()
	}
	return out, nil
}

// first names what the first round trip reads: all that is known by name, and whose
// the session was when this process last looked.
func (k *Keys) first(in encrypted, row records.Replay) []txn.Ref {
	refs := append(make([]txn.Ref, 0, 7),
		k.account.Ref(), records.GroupIns.Ref(in.session), records.Replays.Ref(row.ReplayName),
		records.Identities.Ref(in.Sender), records.Identities.Ref(k.account.Name.User),
	)
	if h, known := k.hints.Get(in.session); known && h.sender != (ratchet.PublicKey{}) {
		refs = append(refs, records.Owners.Ref(h.sender))
		if h.device.Device != "" {
			return append(refs, records.Devices.Ref(h.device))
		}
		refs = append(refs, records.Unsettleds.Ref(h.sender))
	}
	return refs
}

// open decrypts the message with what is stored of its session.
func (k *Keys) open(tx *txn.Tx, in encrypted) (group.Opened, error) {
	s, known, err := records.GroupIns.Get(tx, in.session)
	switch {
	case machine.IsSetAside(err):
		return group.Opened{}, fmt.Errorf("%w: %w", group.ErrNoKey, err)
	case err != nil:
		return group.Opened{}, err
	case !known:
		return group.Opened{}, group.ErrNoKey
	case s.Room() != in.Room:
		return group.Opened{}, fmt.Errorf("%w: session %s is of room %s, not of %s", ErrOtherRoom, in.session, s.Room(), in.Room)
	}
	h, _ := k.hints.Get(in.session)
	probe := tx.Probe()
	began := probe.Begin()
	opened, next, err := s.DecryptFrom(h.reached, in.message)
	probe.End(txn.Computing, began)
	if err == nil {
		h.reached = next
		k.hints.Add(in.session, h)
	}
	return opened, err
}

// explain adds a notice to the error of a key that is missing, if the event's sender
// or the own user sent one: others' say nothing of it.
func (k *Keys) explain(tx *txn.Tx, in encrypted, why error) error {
	if !errors.Is(why, group.ErrNoKey) && !errors.Is(why, group.ErrTooEarly) {
		return why
	}
	for _, from := range []matrix.UserID{in.Sender, k.account.Name.User} {
		w, known, err := records.Withhelds.Get(tx, records.WithheldName{Session: in.session, From: from})
		switch {
		case machine.IsDamage(err):
			k.account.Store.Tell(tx, []error{err})
		case machine.IsSetAside(err):
		case err != nil:
			return err
		case known && w.Room == in.Room:
			return w.Explain(why)
		}
	}
	return why
}

// who says whose the event is.
func (k *Keys) who(tx *txn.Tx, in encrypted, opened group.Opened, out *Opened) error {
	l := looker{tx: tx, own: k.account.Name.User}
	var err error
	if out.Sender, err = l.owner(opened.Source, in.Event); err != nil {
		return err
	}
	if out.Forwarder, err = l.giver(opened.Source); err != nil {
		return err
	}
	if h, known := k.hints.Get(in.session); known {
		h.sender, h.device = out.Sender.Curve25519, out.Sender.Device
		k.hints.Add(in.session, h)
	}
	out.Session, out.Index = in.session, opened.Index
	out.Provenance, out.SharedHistory = opened.Source.Provenance, opened.Source.SharedHistory
	out.Damaged = l.damaged.Len()
	k.account.Store.Tell(tx, l.damaged.All())
	return nil
}

const relatesTo = "m.relates_to"

// read reads the payload of a message: the room in it is the event's. What the event
// relates to stands outside of the ciphertext, where servers see it, and is copied
// in where the payload says nothing of it.
func (in encrypted) read(payload []byte) (out Opened, err error) {
	o, err := parseObject(payload)
	if err != nil {
		return out, fmt.Errorf("%w (the payload)", err)
	}
	room, err := o.text("room_id")
	if err != nil {
		return out, err
	}
	if room != string(in.Room) {
		return out, fmt.Errorf("%w: the message was made for another room than %s", ErrOtherRoom, in.Room)
	}
	if out.Type, err = o.text("type"); err != nil {
		return out, err
	}
	if !o.isObject("content") {
		return out, fmt.Errorf("%w: content is not an object", ErrContent)
	}
	if _, is := o["state_key"]; is {
		s, err := o.text("state_key")
		if err != nil {
			return out, err
		}
		out.StateKey = &s
	}
	out.Content, err = withRelation(o["content"], in.relates)
	return out, err
}

// withRelation returns the content of an event with what it relates to.
func withRelation(content, relates json.RawMessage) (json.RawMessage, error) {
	content = bytes.TrimSpace(content)
	if relates == nil {
		return content, nil
	}
	inner, err := parseObject(content)
	if err != nil {
		return nil, err
	}
	if _, has := inner[relatesTo]; has {
		return content, nil
	}
	out := bytes.TrimRight(bytes.Clone(content[:len(content)-1]), " \t\r\n")
	if len(inner) > 0 {
		out = append(out, ',')
	}
	out = append(append(out, `"`+relatesTo+`":`...), relates...)
	return append(out, '}'), nil
}
