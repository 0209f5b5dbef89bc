package rooms

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// MostMessages is how many messages one request carries, at most.
const MostMessages = 250

const (
	encryptedType = "m.room.encrypted"
	roomKeyType   = "m.room_key"
	withheldType  = "m.room_key.withheld"
)

// What giving a key to one device takes of a commit beside encrypting: what it was
// told is read and written, and that it was told that it has no session.
const (
	giveWrites = 2
	giveChecks = 2
	// giveBeside is the request with its body and the room; the rest is read.
	giveBeside = 3
	// giveBytes is a session as it mostly is, with what it was told.
	giveBytes = 3 << 10
)

// perDevice are messages of one request: user, device, content.
type perDevice map[matrix.UserID]map[matrix.DeviceID]json.RawMessage

func (m perDevice) add(to device.Name, content json.RawMessage) {
	if m[to.User] == nil {
		m[to.User] = map[matrix.DeviceID]json.RawMessage{}
	}
	m[to.User][to.Device] = content
}

// body is the body of the request. The contents are JSON as they are: of many devices
// they have some hundred kilobytes, which package json would read once more.
func (m perDevice) body() (json.RawMessage, error) {
	size := 32
	for _, devices := range m {
		for _, content := range devices {
			size += len(content) + 128
		}
	}
	body := append(make([]byte, 0, size), `{"messages":{`...)
	for i, user := range slices.Sorted(maps.Keys(m)) {
		var err error
		if body, err = member(body, i, string(user)); err != nil {
			return nil, err
		}
		body = append(body, '{')
		for k, id := range slices.Sorted(maps.Keys(m[user])) {
			if body, err = member(body, k, string(id)); err != nil {
				return nil, err
			}
			body = append(body, m[user][id]...)
		}
		body = append(body, '}')
	}
	return append(body, `}}`...), nil
}

// member begins an object's member of a name, which is not the first if i is not 0.
func member(object []byte, i int, name string) ([]byte, error) {
	if i > 0 {
		object = append(object, ',')
	}
	text, err := json.Marshal(name)
	return append(append(object, text...), ':'), err
}

// roomKey is the content of m.room_key.
type roomKey struct {
	Algorithm     string        `json:"algorithm"`
	Room          matrix.RoomID `json:"room_id"`
	Session       string        `json:"session_id"`
	Key           string        `json:"session_key"`
	SharedHistory bool          `json:"shared_history"`
}

// give gives the key to the devices that have a session, one commit a request:
// ratchet steps, what the devices were told and the body together. It returns false
// if so many requests have no answer that no more are made.
func (c *call) give(ctx context.Context, p *plan) (bool, error) {
	slices.SortFunc(p.give, byName)
	most := MostMessages
	for todo := p.give; len(todo) > 0; {
		most = min(most, len(todo))
		done, err := txn.Do(ctx, c.account.DB, func(tx *txn.Tx) (int, error) { return c.giveSome(tx, p, todo[:most]) })
		switch {
		case errors.Is(err, kv.ErrTooLarge) && most > 1:
			most /= 2
			continue
		case err != nil:
			return false, err
		case done == 0:
			return false, nil
		}
		todo, most = todo[done:], MostMessages
	}
	return true, nil
}

// giveSome gives the key to the first of some devices, as many as the commit takes,
// and returns how many it looked at.
func (c *call) giveSome(tx *txn.Tx, p *plan, some []device.Keys) (int, error) {
	s, err := c.current(tx, p)
	if err != nil {
		return 0, err
	}
	if len(s.room.Waiting) == records.MaxWaiting {
		return 0, nil
	}
	g, err := c.newGiving(tx, s, p, some)
	if err != nil {
		return 0, err
	}
	defer g.event.Wipe()
	n := 0
	for i, d := range some {
		if i > 0 && !g.fits() {
			break
		}
		if err := g.give(d, i+1); err != nil {
			return 0, err
		}
		n++
	}
	if len(g.given) == 0 {
		return n, nil
	}
	id, err := g.request()
	if err != nil {
		return 0, err
	}
	s.room.Waiting = append(slices.Clip(s.room.Waiting), id)
	return n, records.Rooms.Put(tx, s.room)
}

// giving is one request with the key.
type giving struct {
	*call
	plan     *plan
	tx       *txn.Tx
	state    state
	event    todevice.Event
	messages perDevice
	given    []device.Name
	size     int
}

func (c *call) newGiving(tx *txn.Tx, s state, p *plan, some []device.Keys) (*giving, error) {
	own, err := records.OwnDeviceKeys(tx, s.v)
	if err != nil {
		return nil, err
	}
	key, err := s.out.Sender().Share()
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(roomKey{account.Megolm, c.room, s.out.ID().String(), unpadded.Encode(key), s.out.SharedHistory()})
	clear(key)
	if err != nil {
		return nil, err
	}
	defer clear(content)
	event, err := todevice.NewEvent(s.v, own, roomKeyType, content)
	if err != nil {
		return nil, err
	}
	peers := make([]ratchet.PublicKey, len(some))
	refs := make([]txn.Ref, 0, 2*len(some))
	for i, d := range some {
		peers[i] = d.Curve25519
		refs = append(refs, records.Shares.Ref(c.shareName(s, d)), records.ToldNoOlm.Ref(d.Curve25519))
	}
	if err := tx.Prefetch(refs...); err != nil {
		return nil, err
	}
	return &giving{call: c, plan: p, tx: tx, state: s, event: event, messages: perDevice{}}, c.messages.Prefetch(tx, peers...)
}

func (c *call) shareName(s state, d device.Keys) records.ShareName {
	return records.ShareName{RoomSession: records.RoomSession{Room: c.room, ID: s.out.ID()}, User: d.User, Device: d.Device}
}

// fits reports whether one more device goes into the commit.
func (g *giving) fits() bool {
	each := todevice.Each
	return g.tx.Room(each.Writes+giveWrites+giveBeside, each.Checks+giveChecks) &&
		g.size < g.account.Store.DB.Store().Limits().Bytes*3/4
}

// give encrypts for one device, unless another process has: nothing is encrypted
// twice. One whose sessions cannot be used was not reached.
func (g *giving) give(d device.Keys, place int) error {
	told, was, err := records.GivenTo(g.tx, g.shareName(g.state, d), d.Curve25519)
	if was && told.Outcome == group.Given || err != nil {
		return err
	}
	at, err := g.account.Moment(g.tx, g.state.v, place)
	if err != nil {
		return err
	}
	share := group.Share{
		Room: g.room, Session: g.state.out.ID(), User: d.User, Device: d.Device, Key: d.Curve25519, Outcome: group.NotReached, At: at,
	}
	event, over, err := g.Rooms.messages.EncryptEventIn(g.tx, g.state.v, d, g.event)
	switch {
	case unusable(err):
		g.plan.retryAt(at.Time.Add(maxRetry))
		return records.Shares.Put(g.tx, share)
	case err != nil:
		return err
	}
	share.Outcome, share.Over, share.Index = group.Given, over, g.state.out.Sender().Index()
	g.messages.add(d.Name, event)
	g.given = append(g.given, d.Name)
	g.size += len(event) + giveBytes
	if err := records.ForgetTold(g.tx, d.Curve25519); err != nil {
		return err
	}
	return records.Shares.Put(g.tx, share)
}

// unusable reports whether an error is of the device and its sessions alone.
func unusable(err error) bool {
	return errors.Is(err, todevice.ErrNoSession) || errors.Is(err, todevice.ErrSelf) || errors.Is(err, ratchet.ErrExhausted) || machine.IsDamage(err)
}

// request adds the request.
func (g *giving) request() (outbox.ID, error) {
	body, err := g.messages.body()
	if err != nil {
		return outbox.ID{}, err
	}
	carried := carried{Room: g.room, Session: g.state.out.ID(), To: g.given}
	return outbox.Add(g.tx, g.account, g.state.v, outbox.New{
		Kind: outbox.ToDevice, EventType: encryptedType, Body: body, Data: carried.encode(),
	})
}

// notice is the content of m.room_key.withheld.
type notice struct {
	Algorithm string        `json:"algorithm"`
	Code      group.Code    `json:"code"`
	Reason    string        `json:"reason"`
	SenderKey string        `json:"sender_key"`
	Room      matrix.RoomID `json:"room_id,omitempty"`
	Session   string        `json:"session_id,omitempty"`
}

// reasons say the codes in words, for people.
var reasons = map[group.Code]string{
	group.Blacklisted: "The sender does not send keys to this device.",
	group.Unverified:  "The sender sends keys to verified devices only.",
	group.NoOlm:       "The sender could not open an Olm session with this device.",
}

// withhold tells devices why they do not get the key, one commit a request.
func (c *call) withhold(ctx context.Context, p *plan) error {
	slices.SortFunc(p.withhold, func(a, b refusal) int { return byName(a.to, b.to) })
	for todo := p.withhold; len(todo) > 0; {
		some := todo[:min(len(todo), MostMessages)]
		done, err := txn.Do(ctx, c.account.DB, func(tx *txn.Tx) (int, error) { return c.withholdSome(tx, p, some) })
		if err != nil {
			return err
		}
		todo = todo[done:]
	}
	return nil
}

func (c *call) withholdSome(tx *txn.Tx, p *plan, some []refusal) (int, error) {
	s, err := c.current(tx, p)
	if err != nil {
		return 0, err
	}
	messages := perDevice{}
	n := 0
	for i, r := range some {
		if i > 0 && !tx.Room(4, 2) {
			break
		}
		if err := c.refuse(tx, s, r, i+1, messages); err != nil {
			return 0, err
		}
		n++
	}
	if len(messages) == 0 {
		return n, nil
	}
	body, err := messages.body()
	if err != nil {
		return 0, err
	}
	_, err = outbox.Add(tx, c.account, s.v, outbox.New{Kind: outbox.ToDevice, EventType: withheldType, Body: body})
	return n, err
}

// refuse notes that a device does not get the key, and tells it why: once for each
// session, and that it has none once until it had one.
func (c *call) refuse(tx *txn.Tx, s state, r refusal, place int, messages perDevice) error {
	told, was, err := records.GivenTo(tx, c.shareName(s, r.to), r.to.Curve25519)
	if err != nil {
		return err
	}
	at, err := c.account.Moment(tx, s.v, place)
	if err != nil {
		return err
	}
	share := group.Share{
		Room: c.room, Session: s.out.ID(), User: r.to.User, Device: r.to.Device, Key: r.to.Curve25519, Outcome: group.NotGiven, Code: r.code, At: at,
	}
	if r.code == group.NoOlm {
		share.Outcome, share.Code = group.NotReached, ""
	}
	if was && (told.Outcome == share.Outcome && told.Code == share.Code || told.Outcome.Has()) {
		return nil
	}
	n := notice{Algorithm: account.Megolm, Code: r.code, Reason: reasons[r.code], SenderKey: s.v.Identity().String()}
	known := false
	if r.code == group.NoOlm {
		known, err = records.TellNoOlm(tx, r.to.Curve25519, at.Time)
	} else {
		n.Room, n.Session = c.room, s.out.ID().String()
	}
	if err != nil {
		return err
	}
	if !known {
		content, err := json.Marshal(n)
		if err != nil {
			return err
		}
		messages.add(r.to.Name, content)
	}
	return records.Shares.Put(tx, share)
}
