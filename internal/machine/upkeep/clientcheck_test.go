package upkeep_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/otk"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// client is an account that is in a room: it sends in a session that Bob's device was
// given, sent in another before, has read an event, and uploads keys.
type client struct {
	*fixture
	room     matrix.RoomID
	now, old group.Outbound
	read     group.SessionID
	waits    records.RequestID // with the room key
	upload   records.RequestID
	keys     []otk.ID // in the upload
}

var at = record.Moment{Time: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), Order: 1}

func newClient(t *testing.T) *client {
	c := &client{fixture: newFixture(t), room: "!room:example.org", waits: records.RequestID{1}, upload: records.RequestID{2}}
	c.now, c.old = c.outbound(3), c.outbound(1).Retire(group.Asked, at.Time)
	theirs, err := group.NewSender(rand.Reader)
	must(t, err)
	c.read = theirs.Key().ID()
	in, err := group.NewInbound(c.room, group.NewCopy(theirs.Key(), group.Source{Provenance: group.File, Sender: [32]byte{1}}))
	must(t, err)
	c.do(func(tx *txn.Tx) error {
		pool, err := records.ReadPool(tx)
		must(t, err)
		for e := range pool.Entries() {
			if e.Stage == otk.Offered {
				c.keys = append(c.keys, e.ID)
			}
		}
		must(t, records.UploadStates.Put(tx, records.Uploads{
			Published: true, Under: records.UploadUnderWay{Request: c.upload, OneTimeKeys: c.keys},
		}))
		for id, kind := range map[records.RequestID]records.RequestKind{c.upload: records.UploadRequest, c.waits: records.ToDeviceRequest} {
			must(t, records.Requests.Put(tx, records.Request{ID: id, Kind: kind, Made: at}))
			must(t, records.RequestBodies.Put(tx, records.RequestBody{ID: id, Body: []byte("{}")}))
		}
		must(t, records.Rooms.Put(tx, records.Room{ID: c.room, Encrypted: true, Changed: 2, Shared: 2, Everywhere: 5, Waiting: []records.RequestID{c.waits}}))
		must(t, records.RoomChanges.Put(tx, records.RoomChange{Count: 5}))
		must(t, records.Members.Put(tx, records.Member{User: bobs, Rooms: []matrix.RoomID{c.room}}))
		must(t, records.Outbound.Put(tx, c.now))
		must(t, records.OldOutbound.Put(tx, c.old))
		must(t, records.Shares.Put(tx, c.share(c.now.ID(), 3)))
		must(t, records.Shares.Put(tx, c.share(c.old.ID(), 1)))
		must(t, records.GroupIns.Put(tx, in))
		return records.Replays.Put(tx, c.place(c.read))
	})
	return c
}

const bobs = matrix.UserID("@bob:example.org")

// outbound is a session that so many messages were sent in.
func (c *client) outbound(sent int) group.Outbound {
	s, err := group.NewSender(rand.Reader)
	must(c.T, err)
	o, err := group.NewOutbound(c.room, s, group.Settings{Visibility: group.Shared, Strategy: group.AllDevices}, at, 0)
	must(c.T, err)
	for range sent {
		next, _, err := o.Sender().Encrypt([]byte("{}"))
		must(c.T, err)
		o = o.Sent(next, at.Time)
	}
	return o
}

func (c *client) share(of group.SessionID, index uint32) group.Share {
	return group.Share{
		Room: c.room, Session: of, User: bobs, Device: "B", Key: ratchet.PublicKey{9},
		Outcome: group.Given, Index: index, Over: ratchet.SessionID{1}, At: at,
	}
}

func (c *client) place(of group.SessionID) records.Replay {
	return records.Replay{ReplayName: records.ReplayName{Session: of, Index: 7}, Event: records.EventDigest{1}}
}

// found is all that Check says, but of what the fixture leaves out on purpose.
func (c *client) found() []string {
	c.Helper()
	lines, err := c.Check(c.Context())
	must(c.T, err)
	return lines
}

// TestCheckOfAClient: each invariant of rooms, requests and uploads is broken alone,
// Check says so in one line, and repair leaves nothing broken.
func TestCheckOfAClient(t *testing.T) {
	for name, broken := range map[string]struct {
		by   func(c *client, tx *txn.Tx) error
		line func(c *client) string
	}{
		"a request that a room waits for": {
			func(c *client, tx *txn.Tx) error { return records.DeleteRequest(tx, c.waits) },
			func(c *client) string {
				return "room !room:example.org waits for request " + c.waits.String() + ", which is missing"
			},
		},
		"a change of all rooms": {
			func(c *client, tx *txn.Tx) error { return records.RoomChanges.Put(tx, records.RoomChange{Count: 4}) },
			func(*client) string {
				return "room !room:example.org knows of a change of all rooms that was not counted"
			},
		},
		"the room of a member": {
			func(c *client, tx *txn.Tx) error {
				return records.Members.Put(tx, records.Member{User: bobs, Rooms: []matrix.RoomID{"!other:example.org", "!room:example.org"}})
			},
			func(*client) string {
				return "user @bob:example.org may have keys of room !other:example.org, of which nothing is known"
			},
		},
		"that somebody who has the key is a member": {
			func(c *client, tx *txn.Tx) error { return records.Members.Delete(tx, bobs) },
			func(c *client) string {
				return "user @bob:example.org may have the key of session " + c.now.ID().String() + " of room !room:example.org, and is not listed as a member"
			},
		},
		"the own identity": {
			func(c *client, tx *txn.Tx) error {
				return records.OwnSignature.Put(tx, device.OwnSignature{By: account.VerifyKey{1}})
			},
			func(*client) string { return "the own device is signed by the own identity, which is missing" },
		},
		"the session that a device was told of": {
			func(c *client, tx *txn.Tx) error {
				return records.OldOutbound.Delete(tx, records.OldOutbound.Name(c.old))
			},
			func(c *client) string {
				return "device B of @bob:example.org was told of session " + c.old.ID().String() + " of room !room:example.org, which is missing"
			},
		},
		"a device ahead of its session": {
			func(c *client, tx *txn.Tx) error { return records.Shares.Put(tx, c.share(c.now.ID(), 4)) },
			func(c *client) string {
				return "session " + c.now.ID().String() + " of room !room:example.org is at message 3, and device B of @bob:example.org was given it at 4"
			},
		},
		"an old session that was not given up": {
			func(c *client, tx *txn.Tx) error {
				was := c.old
				c.old = c.outbound(1)
				return errors.Join(records.OldOutbound.Delete(tx, records.OldOutbound.Name(was)),
					records.Shares.Delete(tx, records.Shares.Name(c.share(was.ID(), 1))), records.OldOutbound.Put(tx, c.old))
			},
			func(c *client) string {
				return "session " + c.old.ID().String() + " of room !room:example.org is among those given up, and was not"
			},
		},
		"a session that was given up and is sent in": {
			func(c *client, tx *txn.Tx) error {
				return records.OldOutbound.Put(tx, c.now.Retire(group.Asked, at.Time))
			},
			func(c *client) string {
				return "session " + c.now.ID().String() + " of room !room:example.org was given up, and is sent in"
			},
		},
		"the session of a place": {
			func(c *client, tx *txn.Tx) error { return records.Replays.Put(tx, c.place(group.SessionID{4})) },
			func(*client) string { return "events have places in a session that is missing" },
		},
		"a key of the upload that was never made": {
			func(c *client, tx *txn.Tx) error { return c.uploads(tx, append(slices.Clone(c.keys), 1000)) },
			func(*client) string { return "the upload under way has key AAAD6A, which was never made" },
		},
		"a key of the upload that may be offered again": {
			func(c *client, tx *txn.Tx) error {
				pool, err := records.ReadPool(tx)
				must(c.T, err)
				pool, made, err := pool.Generate(rand.Reader, 1, at.Time)
				must(c.T, err)
				c.keys = append(c.keys, made[0].ID())
				return errors.Join(records.Keys.Put(tx, made[0]), records.Pool.Put(tx, pool), c.uploads(tx, c.keys))
			},
			func(c *client) string {
				return "the upload under way has key " + c.keys[len(c.keys)-1].String() + ", which may be offered again"
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t)
			if lines := c.found(); len(lines) > 0 {
				t.Fatalf("before anything is broken check says %q", lines)
			}
			c.do(func(tx *txn.Tx) error { return broken.by(c, tx) })
			if lines, want := c.found(), []string{broken.line(c)}; !slices.Equal(lines, want) {
				t.Fatalf("check says\n%q, want\n%q", lines, want)
			}
			_, err := upkeep.Repair(t.Context(), c.account, func(ctx context.Context) ([]records.Finding, error) {
				return upkeep.Check(ctx, c.account, records.Kinds())
			})
			must(t, err)
			if lines := c.found(); len(lines) > 0 {
				t.Errorf("after the repair check says %q", lines)
			}
		})
	}
}

// uploads says which keys are in the upload under way.
func (c *client) uploads(tx *txn.Tx, ids []otk.ID) error {
	u, _, err := records.UploadStates.Get(tx)
	must(c.T, err)
	u.Under.OneTimeKeys = ids
	return records.UploadStates.Put(tx, u)
}

// TestInspectOfAClient: what is kept of rooms, and what waits.
func TestInspectOfAClient(t *testing.T) {
	c := newClient(t)
	c.do(func(tx *txn.Tx) error {
		for _, device := range []matrix.DeviceID{"C", "D"} {
			withheld := c.share(c.now.ID(), 0)
			withheld.Device, withheld.Outcome, withheld.Over, withheld.Code = device, group.NotGiven, ratchet.SessionID{}, "m.unverified"
			must(t, records.Shares.Put(tx, withheld))
		}
		return errors.Join(records.Wedges.Put(tx, records.Wedge{
			Key: c.them, User: bobs, First: at, Last: at, Why: "no session", Tries: 1, Begun: at,
			Pause: records.Pause{}.Begin(at.Time, time.Hour),
		}))
	})
	in, err := c.Inspect(t.Context())
	must(t, err)
	want := pawl.RoomInspection{Room: c.room, Encrypted: true, Session: c.now.ID(), Messages: 3, Given: 1, Withheld: 2, Waiting: 1}
	if len(in.Rooms) != 1 || in.Rooms[0] != want {
		t.Errorf("the rooms are %+v, want %+v", in.Rooms, want)
	}
	if len(in.Requests) != 2 || in.Requests[0].ID != pawl.RequestID(c.waits) || in.Requests[0].Kind != "sendToDevice" || in.Requests[1].Kind != "keys/upload" {
		t.Errorf("the requests are %+v", in.Requests)
	}
	evidence := pawl.PeerEvidence{Curve25519: c.them, User: bobs, First: at.Time, Last: at.Time, Why: "no session", Tries: 1, Tried: at.Time}
	if len(in.Unreadable) != 1 || in.Unreadable[0] != evidence {
		t.Errorf("the evidence is %+v, want %+v", in.Unreadable, evidence)
	}
	if len(in.Damaged) > 0 {
		t.Errorf("damaged: %v", in.Damaged)
	}
	c.overwrite(c.raw("group-out/"), []byte("flipped"))
	in, err = c.Inspect(t.Context())
	must(t, err)
	if len(in.Damaged) == 0 || len(in.Rooms) != 1 || in.Rooms[0].Session != (group.SessionID{}) {
		t.Errorf("of a session that cannot be read: %+v, damaged %v", in.Rooms, in.Damaged)
	}
}
