package receive

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/keys"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/syncresponse"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
	"github.com/pawlkv/pawl/txn/seal"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// effect is what the others do with an event or a room, as a record: it commits with
// the event or not at all.
type effect struct {
	Name  string
	Times int
}

var effects = txn.Record[string, effect]{
	Kind: "effect", Codec: txn.Msgpack[effect](1),
	Name: func(e effect) string { return e.Name }, Path: func(n string) txn.Path { return txn.PathOf(n) },
}

func leave(tx *txn.Tx, name string) error {
	e, _, err := effects.Get(tx, name)
	if err != nil {
		return err
	}
	return effects.Put(tx, effect{name, e.Times + 1})
}

// phone is Alice's device: an account on a store.
type phone struct {
	testing.TB
	kv      kv.Store
	account *machine.Account
	*Receiver
	id     machine.Identity
	owners map[ratchet.PublicKey]device.Owner
	known  map[device.Name]device.Device
	proved []device.Name
}

func newPhone(t testing.TB, store kv.Store) *phone {
	t.Helper()
	tools := machine.Tools{Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(t.Context(), store, seal.RawKey([32]byte{1}), tools)
	must(t, err)
	name := machine.AccountName{User: "@alice:example.org", Device: "PHONE"}
	a, err := s.Create(t.Context(), name)
	if errors.Is(err, machine.ErrAccountExists) {
		a, err = s.Account(name), nil
	}
	must(t, err)
	p := &phone{TB: t, kv: store, account: a, owners: map[ratchet.PublicKey]device.Owner{}, known: map[device.Name]device.Device{}}
	p.id, err = a.Identity(t.Context())
	must(t, err)
	p.Receiver = New(a, todevice.New(a), p.takes())
	return p
}

// on is another process that has the phone's account, on a view of its store.
func (p *phone) on(store kv.Store) *phone {
	q := newPhone(p.TB, store)
	q.owners, q.known = p.owners, p.known
	return q
}

// takes are others that leave effects in the store.
func (p *phone) takes() Others {
	return Others{
		Began: func(*txn.Tx) (Uploads, error) { return &keys.Mark{}, nil },
		SawCounts: func(tx *txn.Tx, _ account.Account, _ Uploads, count *int, _ []string) error {
			return leave(tx, "counts")
		},
		OwnerOf: func(_ *txn.Tx, key ratchet.PublicKey) (device.Owner, bool, error) {
			o, ok := p.owners[key]
			return o, ok, nil
		},
		DeviceOf: func(_ *txn.Tx, n device.Name) (device.Device, bool, error) {
			d, ok := p.known[n]
			return d, ok, nil
		},
		Prove: func(tx *txn.Tx, _ ratchet.PublicKey, by device.Name, _ account.VerifyKey) error {
			tx.OnCommit(func() { p.proved = append(p.proved, by) })
			return nil
		},
		Reads:       func(ratchet.PublicKey) []txn.Ref { return nil },
		Sends:       func(device.Name) []txn.Ref { return nil },
		Gives:       func(group.SessionID) []txn.Ref { return nil },
		Outdated:    func(tx *txn.Tx, u matrix.UserID) error { return leave(tx, "outdated "+string(u)) },
		Left:        func(tx *txn.Tx, u matrix.UserID) error { return leave(tx, "left "+string(u)) },
		AllOutdated: func(tx *txn.Tx, _ account.Account) error { return leave(tx, "all outdated") },
		UserCost:    machine.Share{Bytes: 512, Writes: 1, Checks: 1},
		RoomCost: func(r syncresponse.Room) machine.Share {
			return machine.Share{Bytes: 512 * (1 + len(r.Events)), Writes: 1 + len(r.Events), Checks: 1 + len(r.Events)}
		},
		RoomKey: func(tx *txn.Tx, _ account.Account, m Message) ([]RoomKey, error) {
			var c struct {
				Room    matrix.RoomID `json:"room_id"`
				Session string        `json:"session_id"`
			}
			if err := json.Unmarshal(m.Content, &c); err != nil || c.Session == "" {
				return nil, errors.New("no room key")
			}
			if c.Session == "broken" {
				return nil, machine.Corrupt("a room key")
			}
			var id group.SessionID
			copy(id[:], c.Session)
			return []RoomKey{{c.Room, id}}, leave(tx, m.Type+" "+c.Session)
		},
		KeyRequest: func(tx *txn.Tx, _ account.Account, m Message) error { return leave(tx, "request") },
		Unreadable: func(tx *txn.Tx, at record.Moment, sender matrix.UserID, _ ratchet.PublicKey, why error) error {
			if !todevice.IsUnreadable(why) {
				return nil
			}
			return leave(tx, "unreadable "+string(sender))
		},
		Reopened: func(tx *txn.Tx, d device.Device, _ ratchet.SessionID) error {
			return leave(tx, "reopened "+string(d.Device))
		},
		Room: func(tx *txn.Tx, _ account.Account, r syncresponse.Room, response []byte) error {
			for _, e := range r.Events {
				if err := leave(tx, fmt.Sprint("room ", r.ID, " ", e.StateKey)); err != nil {
					return err
				}
			}
			return leave(tx, "room "+string(r.ID))
		},
	}
}

// effect is how often something was done.
func (p *phone) effect(name string) int {
	p.Helper()
	n, err := txn.View(context.Background(), p.account.DB, func(tx *txn.Tx) (int, error) {
		e, _, err := effects.Get(tx, name)
		return e.Times, err
	})
	must(p, err)
	return n
}

func (p *phone) state() records.SyncState {
	p.Helper()
	s, err := txn.View(context.Background(), p.account.DB, records.ReadSync)
	must(p, err)
	return s
}

func (p *phone) ticket() Ticket {
	p.Helper()
	t, err := p.Next(context.Background(), false)
	must(p, err)
	return t
}

// sync takes in a response with a ticket of now.
func (p *phone) sync(next string, events ...any) Received {
	p.Helper()
	out, err := p.Sync(context.Background(), p.ticket(), response(p, next, events...))
	must(p, err)
	return out
}

// peer is another device.
type peer struct {
	testing.TB
	account *machine.Account
	value   account.Account
	*todevice.Messages
	met  bool
	keys any
}

func newPeer(t testing.TB, user matrix.UserID, id matrix.DeviceID) *peer {
	t.Helper()
	tools := machine.Tools{Now: time.Now, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler)}
	s, err := machine.Open(t.Context(), memkv.New(), seal.RawKey([32]byte{1}), tools)
	must(t, err)
	a, err := s.Create(t.Context(), machine.AccountName{User: user, Device: id})
	must(t, err)
	p := &peer{TB: t, account: a, Messages: todevice.New(a)}
	p.value, err = txn.View(t.Context(), a.DB, a.Read)
	must(t, err)
	p.keys = deviceKeys(t, p.value)
	return p
}

// said is what a peer says to the phone.
func (p *peer) said(to *phone, kind string, content any) map[string]any {
	return map[string]any{
		"type": kind, "content": content, "sender": p.account.Name.User, "recipient": to.id.UserID,
		"recipient_keys":     map[string]any{"ed25519": to.id.Ed25519.String()},
		"keys":               map[string]any{"ed25519": p.value.Fingerprint().String()},
		"sender_device_keys": p.keys,
	}
}

// event is an encrypted event with what a peer says.
func (p *peer) event(to *phone, kind string, content any) map[string]any {
	p.Helper()
	return p.sends(to, p.said(to, kind, content))
}

func (p *peer) sends(to *phone, said map[string]any) map[string]any {
	p.Helper()
	var e todevice.Encryption
	if !p.met {
		key := oneTimeKey(p, to.account)
		e.OneTimeKey, p.met = &key, true
	}
	made, err := p.Encrypt(context.Background(), to.id.Curve25519, encode(p, said), e)
	must(p, err)
	return map[string]any{"type": "m.room.encrypted", "sender": p.account.Name.User, "content": map[string]any{
		"algorithm": account.Olm, "sender_key": p.value.Identity().String(),
		"ciphertext": map[string]any{to.id.Curve25519.String(): map[string]any{
			"type": made.Message.Type, "body": unpadded.Encode(made.Message.Body),
		}},
	}}
}

// roomKey is an event with a room key of some name.
func (p *peer) roomKey(to *phone, session string) map[string]any {
	p.Helper()
	return p.event(to, "m.room_key", map[string]any{"room_id": "!r:example.org", "session_id": session})
}

func oneTimeKey(t testing.TB, a *machine.Account) ratchet.PublicKey {
	t.Helper()
	u, err := keys.Offer(context.Background(), a, 1)
	must(t, err)
	var body struct {
		OneTime map[string]struct{ Key string } `json:"one_time_keys"`
	}
	must(t, json.Unmarshal(u.Body, &body))
	for _, k := range body.OneTime {
		key, err := ratchet.ParsePublicKey(k.Key)
		must(t, err)
		return key
	}
	t.Fatal("no key")
	return ratchet.PublicKey{}
}

// response is one of /sync with these to-device events.
func response(t testing.TB, next string, events ...any) []byte {
	t.Helper()
	return encode(t, map[string]any{"next_batch": next, "to_device": map[string]any{"events": append([]any{}, events...)}})
}

func plain(sender, kind string, content any) map[string]any {
	return map[string]any{"type": kind, "sender": sender, "content": content}
}

// types are those of the events that were returned, in order.
func types(events []Event) (all []string) {
	for _, e := range events {
		all = append(all, e.Type)
	}
	return all
}

// why is the error of an event that was refused.
func (r Received) why(t testing.TB, index int) error {
	t.Helper()
	at := slices.IndexFunc(r.Refused, func(f Refusal) bool { return f.Index == index })
	if at < 0 {
		t.Fatalf("event %d was not refused: %+v", index, r)
	}
	return r.Refused[at].Err
}

func (p *phone) shelf(of func(*txn.Tx) (records.Shelf, error)) records.Shelf {
	p.Helper()
	s, err := txn.View(context.Background(), p.account.DB, of)
	must(p, err)
	return s
}

// intact checks that all records agree.
func (p *phone) intact() {
	p.Helper()
	found, err := upkeep.Check(context.Background(), p.account, records.Kinds())
	must(p, err)
	for _, f := range found {
		p.Errorf("check finds %s: %s", f.Kind, f.Broken)
	}
}

// slowRoom makes rooms so dear that a commit takes few.
func (p *phone) slowRoom() func(syncresponse.Room) machine.Share {
	return func(syncresponse.Room) machine.Share { return machine.Share{Bytes: 100, Writes: 30, Checks: 30} }
}
