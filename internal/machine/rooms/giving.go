package rooms

import (
	"encoding/json"
	"errors"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/todevice"
	"github.com/pawlkv/pawl/internal/parallel"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/session"
	"github.com/pawlkv/pawl/txn"
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

// roomKey is the content of m.room_key.
type roomKey struct {
	Algorithm     string        `json:"algorithm"`
	Room          matrix.RoomID `json:"room_id"`
	Session       string        `json:"session_id"`
	Key           string        `json:"session_key"`
	SharedHistory bool          `json:"shared_history"`
}

// giving is one request with the key.
type giving struct {
	*call
	plan     *plan
	tx       *txn.Tx
	state    state
	event    todevice.Event
	events   []sending
	writes   int // that keeping the events takes
	messages perDevice
	given    []device.Name
	looked   looked
	peers    map[ratchet.PublicKey]bool // of the events
}

// sending is the key on its way to a device.
type sending struct {
	todevice.Sending
	at  session.Moment
	err error // why the device's sessions cannot be used
}

func (c *call) newGiving(tx *txn.Tx, s state, p *plan, some []wanting) (*giving, error) {
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
	return &giving{call: c, plan: p, tx: tx, state: s, event: event, messages: perDevice{}, peers: map[ratchet.PublicKey]bool{}}, c.prefetch(tx, s, p, some)
}

// prefetch reads what is looked at of some devices. What they were told is a scan where
// that has few records, as in a session that begins.
func (c *call) prefetch(tx *txn.Tx, s state, p *plan, some []wanting) error {
	if !p.crowded && p.known <= len(some) {
		for _, err := range records.Shares.ScanUnder(tx, txn.PathOf(string(c.room), s.out.ID().String())) {
			if err != nil && !machine.IsDamage(err) {
				return err
			}
		}
	}
	peers := make([]ratchet.PublicKey, len(some))
	refs := make([]txn.Ref, 0, 2*len(some))
	for i, w := range some {
		peers[i] = w.to.Curve25519
		refs = append(refs, records.Shares.Ref(c.shareName(s, w.to)), records.ToldNoOlm.Ref(w.to.Curve25519))
	}
	if err := tx.Prefetch(refs...); err != nil {
		return err
	}
	return c.messages.Prefetch(tx, peers...)
}

func (c *call) shareName(s state, d device.Keys) records.ShareName {
	return records.ShareName{RoomSession: records.RoomSession{Room: c.room, ID: s.out.ID()}, User: d.User, Device: d.Device}
}

// begin looks at the first of some devices, as many as the commit takes, and passes over
// those that another process has given the key: nothing is encrypted twice. Two devices
// with one identity key, which damage can leave, have the same sessions, and each step of
// these is one message's: the second waits for the next commit.
func (g *giving) begin(some []wanting) error {
	g.events = make([]sending, 0, len(some)) // a kilobyte and more each
	for i, w := range some {
		if i > 0 && (!g.fits() || g.peers[w.to.Curve25519]) {
			break
		}
		g.looked.at++
		told, was, err := records.GivenTo(g.tx, g.shareName(g.state, w.to), w.to.Curve25519)
		if err != nil {
			return err
		}
		if was && told.Outcome == group.Given {
			continue
		}
		s := sending{}
		s.Sending, s.err = g.Rooms.messages.Begin(g.tx, g.state.v, w.to)
		switch {
		case s.err != nil && !unusable(s.err):
			return s.err
		case s.err != nil && !w.claimed:
			g.looked.missing = append(g.looked.missing, w)
			continue
		case s.err == nil:
			if err := records.ForgetTold(g.tx, w.to.Curve25519); err != nil {
				return err
			}
			g.writes += s.Writes()
		}
		if s.at, err = g.account.Moment(g.tx, g.state.v, i+1); err != nil {
			return err
		}
		g.events, g.peers[w.to.Curve25519] = append(g.events, s), true
		g.writes++
	}
	return nil
}

// fits reports whether one more device goes into the commit.
func (g *giving) fits() bool {
	n, each := len(g.events), todevice.Each
	return g.tx.Room(g.writes+each.Writes+giveWrites+giveBeside, each.Checks+giveChecks) &&
		n*(g.event.MostBytes()+giveBytes) < g.account.Store.DB.Store().Limits().Bytes*3/4
}

// encryptAtLeast is for how many devices encrypting is worth a goroutine.
const encryptAtLeast = 8

// encrypt encrypts for all devices that have a session.
func (g *giving) encrypt() {
	end := parallel.Begin(len(g.events), encryptAtLeast, func(i int) {
		if s := &g.events[i]; s.err == nil {
			s.err = s.Encrypt(g.event)
		}
	})
	end()
}

// keep writes what became of each device. One whose sessions cannot be used was not
// reached.
func (g *giving) keep() error {
	for i := range g.events {
		s := &g.events[i]
		share := group.Share{
			Room: g.room, Session: g.state.out.ID(), User: s.To.User, Device: s.To.Device, Key: s.To.Curve25519, Outcome: group.NotReached, At: s.at,
		}
		switch {
		case unusable(s.err):
			g.looked.retry = s.at.Time.Add(maxRetry)
		case s.err != nil:
			return s.err
		default:
			share.Outcome, share.Over, share.Index = group.Given, s.Session(), g.state.out.Sender().Index()
			g.messages.add(s.To.Name, s.Content)
			g.given = append(g.given, s.To.Name)
			if err := s.Keep(g.tx); err != nil {
				return err
			}
		}
		if err := records.Shares.Put(g.tx, share); err != nil {
			return err
		}
	}
	g.looked.given = len(g.events)
	return nil
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
