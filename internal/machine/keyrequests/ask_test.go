package keyrequests_test

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/keyrequests"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// question is the content of m.room_key_request.
type question struct {
	Action    string
	Requester matrix.DeviceID `json:"requesting_device_id"`
	ID        string          `json:"request_id"`
	Body      map[string]any
}

// questions returns the requests among events, by who is asked.
func questions(t *testing.T, events []sent) map[matrix.DeviceID]question {
	t.Helper()
	all := map[matrix.DeviceID]question{}
	for _, e := range events {
		var q question
		if err := json.Unmarshal(e.content, &q); err != nil || e.kind != keyrequests.Request || e.to.User != alice {
			t.Errorf("%+v: %v", e, err)
		}
		all[e.to.Device] = q
	}
	return all
}

// TestAsk: own verified devices are asked, and no others; again with the same id, and
// not twice while nobody has sent it; the answer comes from the first index, and ends
// it everywhere.
func TestAsk(t *testing.T) {
	phone, tablet, desktop := newHome(t, alice, "PHONE"), newHome(t, alice, "TABLET"), newHome(t, alice, "DESKTOP")
	laptop, friend := newHome(t, alice, "LAPTOP"), newHome(t, bob, "B")
	session := newSender(t)
	id := session.Key().ID()
	if _, err := phone.requests.Ask(t.Context(), room, id); !errors.Is(err, keyrequests.ErrNobody) {
		t.Errorf("with no device: %v", err)
	}
	phone.knows(laptop, false)
	phone.knows(friend, true)
	if _, err := phone.requests.Ask(t.Context(), room, id); !errors.Is(err, keyrequests.ErrNobody) {
		t.Errorf("with no verified device: %v", err)
	}
	if _, err := phone.requests.Ask(t.Context(), "room", id); !errors.Is(err, matrix.ErrRoomID) {
		t.Errorf("for no room: %v", err)
	}
	phone.knows(tablet, true)
	phone.knows(desktop, true)
	tablet.knows(phone, true)
	tablet.has(session.Key())

	one, err := phone.requests.Ask(t.Context(), room, id)
	phone.must(err)
	two, err := phone.beside().requests.Ask(t.Context(), room, id)
	if err != nil || one != two {
		t.Errorf("asked twice: %v and %v, %v", one, two, err)
	}
	first := questions(t, phone.sync())
	if len(first) != 2 || first["TABLET"].ID == "" || first["TABLET"].ID != first["DESKTOP"].ID {
		t.Fatalf("%+v", first)
	}
	want := map[string]any{"algorithm": "m.megolm.v1.aes-sha2", "room_id": string(room), "session_id": id.String()}
	if q := first["TABLET"]; q.Action != "request" || q.Requester != "PHONE" || !maps.Equal(q.Body, want) {
		t.Errorf("%+v", q)
	}
	_, err = phone.requests.Ask(t.Context(), room, id)
	phone.must(err)
	again := questions(t, phone.sync(tablet))
	if len(again) != 2 || again["TABLET"].ID != first["TABLET"].ID {
		t.Errorf("%+v, and before %+v", again, first)
	}

	answer := tablet.sync(phone)
	if len(answer) != 1 || answer[0].kind != "m.room.encrypted" {
		t.Fatalf("the answer is %+v", answer)
	}
	if c, ok := phone.first(id); !ok || c.Provenance != group.Forwarded || c.Key.Index() != 0 {
		t.Errorf("there is %+v, %v", c, ok)
	}
	cancelled := questions(t, phone.sync(tablet))
	for _, asked := range []matrix.DeviceID{"TABLET", "DESKTOP"} {
		if q := cancelled[asked]; q.Action != "request_cancellation" || q.ID != first["TABLET"].ID || q.Body != nil {
			t.Errorf("%s: %+v", asked, q)
		}
	}
	phone.nothingLeft()
	tablet.nothingLeft()
}

// nothingLeft wants no record of a request or an answer.
func (h *home) nothingLeft() {
	h.Helper()
	h.do(func(tx *txn.Tx) error {
		for r, err := range records.KeyRequests.Scan(tx) {
			h.Errorf("%s: %+v, %v", h.name().Device, r, err)
		}
		for a, err := range records.KeyAnswers.Scan(tx) {
			h.Errorf("%s: %+v, %v", h.name().Device, a, err)
		}
		return nil
	})
}

// TestOwnersKeyEndsRequest: a key from the session's owner that reads all of it ends
// the request too; one that begins later does not.
func TestOwnersKeyEndsRequest(t *testing.T) {
	phone, tablet, friend := newHome(t, alice, "PHONE"), newHome(t, alice, "TABLET"), newHome(t, bob, "B")
	phone.knows(tablet, true)
	phone.knows(friend, false)
	session := newSender(t)
	id := session.Key().ID()
	_, err := phone.requests.Ask(t.Context(), room, id)
	phone.must(err)
	phone.sync()
	give := func(index uint32) {
		t.Helper()
		k, err := session.Key().Advance(index)
		phone.must(err)
		raw, err := session.ShareAt(k)
		phone.must(err)
		owner, err := friend.account.Identity(t.Context())
		phone.must(err)
		from := roomkeys.From{User: bob, Curve25519: owner.Curve25519, Ed25519: owner.Ed25519, Device: friend.name()}
		phone.must(phone.apply(from, "m.room_key", keyContent(t, id, raw)))
	}
	give(5)
	if all := phone.sync(); len(all) != 0 {
		t.Errorf("a key from index 5 on ends the request: %+v", all)
	}
	give(0)
	if q := questions(t, phone.sync()); q["TABLET"].Action != "request_cancellation" {
		t.Errorf("%+v", q)
	}
	phone.nothingLeft()
}

// TestCancelledAfterRequest: a request that was handed out and is to be sent again comes
// before its cancellation, also where more devices are asked meanwhile: one that gets
// them otherwise answers what nobody asks any more. Asked again meanwhile it is not made
// again.
func TestCancelledAfterRequest(t *testing.T) {
	phone, tablet := newHome(t, alice, "PHONE"), newHome(t, alice, "TABLET")
	phone.knows(tablet, true)
	session := newSender(t)
	id := session.Key().ID()
	one, err := phone.requests.Ask(t.Context(), room, id)
	phone.must(err)
	for _, r := range phone.outgoing() {
		phone.must(phone.box.MarkFailed(t.Context(), r.ID, outbox.Failure{Reason: outbox.Refused, Status: 503}))
	}
	if again, err := phone.requests.Ask(t.Context(), room, id); err != nil || again != one {
		t.Errorf("asked again: %v, %v, want %v", again, err, one)
	}
	phone.knows(newHome(t, alice, "DESKTOP"), true)
	if more, err := phone.requests.Ask(t.Context(), room, id); err != nil || more == one {
		t.Errorf("more are asked: %v, %v", more, err)
	}
	raw, err := session.ShareAt(session.Key())
	phone.must(err)
	from := roomkeys.From{User: bob, Curve25519: ratchet.PublicKey{7}, Ed25519: account.VerifyKey{7}, Device: device.Name{User: bob, Device: "B"}}
	phone.must(phone.apply(from, "m.room_key", keyContent(t, id, raw)))
	if early := phone.sync(); len(early) != 0 {
		t.Errorf("before the request is sent again %+v", early)
	}
	*phone.now = phone.now.Add(time.Minute)
	var actions []string
	for _, e := range phone.sync() {
		var q question
		phone.must(json.Unmarshal(e.content, &q))
		actions = append(actions, q.Action)
	}
	if want := []string{"request", "request_cancellation", "request_cancellation"}; !slices.Equal(actions, want) {
		t.Errorf("sent are %q, want %q", actions, want)
	}
	phone.nothingLeft()
}

// TestUnasked: a forwarded key is taken from an own verified device that was asked for
// that very session of that room, and from nobody else.
func TestUnasked(t *testing.T) {
	session, other := newSender(t), newSender(t)
	id := session.Key().ID()
	for name, c := range map[string]struct {
		user     matrix.UserID
		verified bool
		known    bool // before it was asked
		ask      group.SessionID
		room     matrix.RoomID
		taken    bool
	}{
		"asked":                   {alice, true, true, id, room, true},
		"not verified":            {alice, false, true, id, room, false},
		"somebody else's":         {bob, true, true, id, room, false},
		"verified later":          {alice, true, false, id, room, false},
		"for another session":     {alice, true, true, other.Key().ID(), room, false},
		"for a session elsewhere": {alice, true, true, id, "!other:example.org", false},
	} {
		phone, tablet, giver := newHome(t, alice, "PHONE"), newHome(t, alice, "TABLET"), newHome(t, c.user, "GIVER")
		phone.knows(tablet, true)
		if c.known {
			phone.knows(giver, c.verified)
		}
		_, err := phone.requests.Ask(t.Context(), c.room, c.ask)
		phone.must(err)
		phone.sync()
		if !c.known {
			phone.knows(giver, c.verified)
		}
		raw, err := session.Key().Export(nil)
		phone.must(err)
		owner, err := giver.account.Identity(t.Context())
		phone.must(err)
		from := roomkeys.From{User: c.user, Curve25519: owner.Curve25519, Ed25519: owner.Ed25519, Device: giver.name()}
		phone.do(func(tx *txn.Tx) error {
			d, _, err := records.Devices.Get(tx, giver.name())
			if err == nil {
				from.Trust, _, err = records.TrustOf(tx, phone.account, d)
			}
			return err
		})
		err = phone.apply(from, "m.forwarded_room_key", keyContent(t, id, raw))
		if _, there := phone.first(id); c.taken != (err == nil) || c.taken != there || !c.taken && !errors.Is(err, roomkeys.ErrNotRequested) {
			t.Errorf("%s: %v, and there is a key: %v", name, err, there)
		}
	}
}

// TestForgottenRequests: what nobody has answered for two weeks is no longer open.
func TestForgottenRequests(t *testing.T) {
	phone, tablet := newHome(t, alice, "PHONE"), newHome(t, alice, "TABLET")
	phone.knows(tablet, true)
	_, err := phone.requests.Ask(t.Context(), room, newSender(t).Key().ID())
	phone.must(err)
	phone.sweep(phone.now.Add(13 * 24 * time.Hour))
	phone.do(func(tx *txn.Tx) error {
		n := 0
		for range records.KeyRequests.Scan(tx) {
			n++
		}
		if n != 1 {
			t.Errorf("%d requests after 13 days", n)
		}
		return nil
	})
	phone.sweep(phone.now.Add(14 * 24 * time.Hour))
	phone.nothingLeft()
}
