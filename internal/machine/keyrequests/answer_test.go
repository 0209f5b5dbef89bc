package keyrequests_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/keyrequests"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// keyContent is the content of an event with a key.
func keyContent(t *testing.T, id group.SessionID, key []byte) json.RawMessage {
	t.Helper()
	raw, err := json.Marshal(map[string]any{
		"algorithm": account.Megolm, "room_id": room, "session_id": id.String(), "session_key": unpadded.Encode(key),
		"sender_key": ratchet.PublicKey{7}.String(), "sender_claimed_ed25519_key": account.VerifyKey{7}.String(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (h *home) sweep(now time.Time) {
	h.Helper()
	_, err := upkeep.Sweep(h.Context(), h.account, records.Kinds(), now)
	h.must(err)
}

// sends stores a session that this device sends in, at an index, and what another
// device was given of it.
func (h *home) sends(to *home, given uint32, outcome group.Outcome, retired bool) group.Sender {
	h.Helper()
	s := newSender(h)
	first := s.Key()
	for range given + 2 {
		var err error
		s, _, err = s.Encrypt([]byte("text"))
		h.must(err)
	}
	h.has(first)
	settings := group.Settings{Messages: 100, Age: time.Hour, Visibility: group.Shared, Strategy: group.AllDevices}
	out, err := group.NewOutbound(room, s, settings, record.Moment{Time: *h.now, Order: 1}, 0)
	h.must(err)
	if retired {
		out = out.Retire(group.Asked, *h.now)
	}
	id, err := to.account.Identity(h.Context())
	h.must(err)
	share := group.Share{
		Room: room, Session: s.ID(), User: to.name().User, Device: to.name().Device, Key: id.Curve25519,
		Outcome: outcome, At: record.Moment{Time: *h.now, Order: 1},
	}
	switch outcome {
	case group.Given:
		share.Index, share.Over = given, ratchet.SessionID{1}
	case group.NotGiven:
		share.Code = group.Blacklisted
	}
	h.do(func(tx *txn.Tx) error {
		if retired {
			if err := records.OldOutbound.Put(tx, out); err != nil {
				return err
			}
		} else if err := records.Outbound.Put(tx, out); err != nil {
			return err
		}
		return records.Shares.Put(tx, share)
	})
	return s
}

// TestAnswers: who gets what.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		user     matrix.UserID
		known    bool
		verified bool
		told     group.Outcome // of a session that we send in; 0: nothing
		retired  bool
		has      bool // we have somebody's session
		want     group.Code
		index    uint32 // of the key, if there is no want
		source   group.Provenance
	}{
		"own, verified":              {user: alice, known: true, verified: true, has: true, source: group.Forwarded},
		"own, verified, and no key":  {user: alice, known: true, verified: true, want: group.Unavailable},
		"own, not verified":          {user: alice, known: true, has: true, want: group.Unverified},
		"own, not known":             {user: alice, has: true, want: group.Unverified},
		"own, not verified, given":   {user: alice, known: true, told: group.Given, index: 3, source: group.Direct},
		"another's":                  {user: bob, known: true, verified: true, has: true, want: group.Unauthorised},
		"another's, not known":       {user: bob, has: true, want: group.Unauthorised},
		"another's, given":           {user: bob, known: true, told: group.Given, index: 3, source: group.Direct},
		"another's, given before":    {user: bob, known: true, told: group.Given, retired: true, index: 3, source: group.Direct},
		"another's, withheld before": {user: bob, known: true, told: group.NotGiven, want: group.Unauthorised},
		"another's, never reached":   {user: bob, known: true, told: group.NotReached, want: group.Unauthorised},
	} {
		t.Run(name, func(t *testing.T) {
			phone, asker := newHome(t, alice, "PHONE"), newHome(t, c.user, "ASKER")
			if c.known {
				phone.knows(asker, c.verified)
			}
			asker.knows(phone, true)
			session := newSender(t)
			switch {
			case c.told != 0:
				session = phone.sends(asker, 3, c.told, c.retired)
			case c.has:
				phone.has(session.Key())
			}
			id := session.ID()
			if c.source == group.Forwarded {
				_, err := asker.requests.Ask(t.Context(), room, id)
				phone.must(err)
				asker.sync(phone)
			} else {
				phone.must(phone.receive(c.user, keyrequests.Request, asks("ASKER", "1", id)))
			}
			events := phone.sync(asker)
			if len(events) != 1 || codeOf(events[0]) != c.want || events[0].to != asker.name() {
				t.Fatalf("it gets %+v", events)
			}
			got, there := asker.first(id)
			if there != (c.want == "") || there && (got.Key.Index() != c.index || got.Provenance != c.source) {
				t.Errorf("it has %+v, %v", got, there)
			}
			phone.nothingLeft()
			if c.want != "" {
				phone.must(phone.receive(c.user, keyrequests.Request, asks("ASKER", "1", id)))
				if events := phone.sync(asker); len(events) != 0 {
					t.Errorf("it is told again at once: %+v", events)
				}
			}
		})
	}
}

// TestKeyOfAnotherDevice: a device with another key than the one that was given the
// session has been given nothing, whatever its id.
func TestKeyOfAnotherDevice(t *testing.T) {
	phone, was, now := newHome(t, alice, "PHONE"), newHome(t, bob, "B"), newHome(t, bob, "B")
	phone.knows(now, true)
	session := phone.sends(was, 3, group.Given, false)
	phone.must(phone.receive(bob, keyrequests.Request, asks("B", "1", session.ID())))
	if events := phone.sync(now); len(events) != 1 || codeOf(events[0]) != group.Unauthorised {
		t.Errorf("%+v", events)
	}
}

// TestTrustIsOfNow: what a device may have is decided again when it is sent.
func TestTrustIsOfNow(t *testing.T) {
	phone, tablet := newHome(t, alice, "PHONE"), newHome(t, alice, "TABLET")
	phone.knows(tablet, true)
	session := newSender(t)
	phone.has(session.Key())
	phone.must(phone.receive(alice, keyrequests.Request, asks("TABLET", "1", session.ID())))
	phone.do(func(tx *txn.Tx) error {
		k, err := records.IdentityOf(tx, alice)
		if err != nil {
			return err
		}
		k.Master = account.VerifyKey{99} // the server has another identity now
		return records.Identities.Put(tx, k)
	})
	if events := phone.sync(tablet); len(events) != 0 {
		t.Errorf("%+v", events)
	}
	phone.nothingLeft()
}

// TestCancelled: what was cancelled before it is sent is not sent; cancelling anything
// else, or in somebody else's name, does nothing.
func TestCancelled(t *testing.T) {
	phone, tablet := newHome(t, alice, "PHONE"), newHome(t, alice, "TABLET")
	phone.knows(tablet, true)
	session := newSender(t)
	phone.has(session.Key())
	cancel := func(from matrix.UserID, requester matrix.DeviceID, id string) {
		t.Helper()
		raw, _ := json.Marshal(map[string]any{"action": "request_cancellation", "requesting_device_id": requester, "request_id": id})
		phone.must(phone.receive(from, keyrequests.Request, raw))
	}
	phone.must(phone.receive(alice, keyrequests.Request, asks("TABLET", "1", session.ID())))
	cancel(alice, "TABLET", "2")
	cancel(alice, "OTHER", "1")
	cancel(bob, "TABLET", "1")
	phone.do(func(tx *txn.Tx) error {
		_, there, err := records.KeyAnswers.Get(tx, records.SlotOf(tablet.name(), "1"))
		if !there || err != nil {
			t.Errorf("%v, %v: the answer waits no longer", there, err)
		}
		return nil
	})
	cancel(alice, "TABLET", "1")
	if events := phone.sync(tablet); len(events) != 0 {
		t.Errorf("%+v", events)
	}
	phone.nothingLeft()
}

// TestBadRequests: each with its error, and nothing changed.
func TestBadRequests(t *testing.T) {
	phone := newHome(t, alice, "PHONE")
	id := newSender(t).ID().String()
	before := phone.stored()
	for _, content := range []string{
		``, `7`, `[]`, `{}`, `{"action":"request"}`,
		`{"action":"other","requesting_device_id":"D","request_id":"1"}`,
		`{"action":"request","requesting_device_id":"D","request_id":"1"}`,
		`{"action":"request","requesting_device_id":"","request_id":"1","body":{}}`,
		`{"action":"request","requesting_device_id":"D","request_id":"1","body":{"algorithm":"m.other","room_id":"!r:x","session_id":"` + id + `"}}`,
		`{"action":"request","requesting_device_id":"D","request_id":"1","body":{"algorithm":"m.megolm.v1.aes-sha2","room_id":"r","session_id":"` + id + `"}}`,
		`{"action":"request","requesting_device_id":"D","request_id":"1","body":{"algorithm":"m.megolm.v1.aes-sha2","room_id":"!r:x","session_id":"AA"}}`,
		fmt.Sprintf(`{"action":"request_cancellation","requesting_device_id":"D","request_id":"%0300d"}`, 1),
	} {
		if err := phone.receive(bob, keyrequests.Request, json.RawMessage(content)); !errors.Is(err, roomkeys.ErrContent) {
			t.Errorf("%s: %v", content, err)
		}
	}
	phone.must(phone.receive(alice, keyrequests.Request, asks("PHONE", "1", newSender(t).ID()))) // our own
	if after := phone.stored(); after != before {
		t.Errorf("%d records, and before %d", after, before)
	}
}

// stored counts what is stored.
func (h *home) stored() (n int) {
	h.Helper()
	snap := h.engine.Snapshot()
	defer snap.Close()
	for _, err := range snap.Scan(h.Context(), "") {
		h.must(err)
		n++
	}
	return n
}

// TestStrangersAsk: however many ask for whatever, what they make us keep and send is
// bounded, and an own verified device gets its answer all the same.
func TestStrangersAsk(t *testing.T) {
	phone, tablet := newHome(t, alice, "PHONE"), newHome(t, alice, "TABLET")
	phone.knows(tablet, true)
	session := newSender(t)
	phone.has(session.Key())
	phone.must(phone.receive(alice, keyrequests.Request, asks("TABLET", "1", session.ID())))
	const many = 2000
	for i := range many {
		user := matrix.UserID(fmt.Sprintf("@u%d:example.org", i%100))
		id := group.SessionID{byte(i), byte(i >> 8)}
		phone.must(phone.receive(user, keyrequests.Request, asks(matrix.DeviceID(fmt.Sprint("D", i)), fmt.Sprint(i), id)))
	}
	const bound = 128
	if n := phone.stored(); n > 3*bound+20 {
		t.Errorf("%d records", n)
	}
	notices, answers := 0, 0
	for _, e := range phone.sync(tablet) {
		if e.kind == "m.room.encrypted" {
			answers++
		} else if codeOf(e) == group.Unauthorised {
			notices++
		}
	}
	if notices > bound || answers != 1 {
		t.Errorf("%d notices and %d answers", notices, answers)
	}
	// One device may ask for much, too.
	for i := range 500 {
		phone.must(phone.receive(alice, keyrequests.Request, asks("TABLET", fmt.Sprint("r", i), session.ID())))
	}
	if n := phone.stored(); n > 3*bound+100 {
		t.Errorf("%d records", n)
	}
}

// TestAnswersOfTwoProcesses: whoever answers, and however often it is killed, a
// request gets one answer.
func TestAnswersOfTwoProcesses(t *testing.T) {
	phone, tablet := newHome(t, alice, "PHONE"), newHome(t, alice, "TABLET")
	phone.knows(tablet, true)
	tablet.knows(phone, true)
	other := phone.beside()
	for round := range 5 {
		session := newSender(t)
		phone.has(session.Key())
		_, err := tablet.requests.Ask(t.Context(), room, session.ID())
		phone.must(err)
		tablet.sync(phone)
		if round == 0 {
			phone.must(phone.requests.Due(t.Context())) // it has to claim a key first
			continue
		}
		var wg sync.WaitGroup
		for _, p := range []*home{phone, other} {
			wg.Go(func() {
				if err := p.requests.Due(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		answers := 0
		for _, e := range phone.sync(tablet) {
			if e.kind == "m.room.encrypted" {
				answers++
			}
		}
		if want := 1; answers != want && round > 1 {
			t.Errorf("round %d: %d answers", round, answers)
		}
		if _, there := tablet.first(session.ID()); !there {
			t.Errorf("round %d: no key", round)
		}
	}
}

// TestDamagedRequests: a damaged record of a request costs that one, and keeps
// nothing else from working; check finds it, and repair sets it aside.
func TestDamagedRequests(t *testing.T) {
	phone, tablet := newHome(t, alice, "PHONE"), newHome(t, alice, "TABLET")
	phone.knows(tablet, true)
	tablet.knows(phone, true)
	session, second := newSender(t), newSender(t)
	phone.has(session.Key())
	phone.has(second.Key())
	phone.must(phone.receive(alice, keyrequests.Request, asks("TABLET", "1", session.ID())))
	phone.must(phone.receive(alice, keyrequests.Request, asks("TABLET", "2", second.ID())))
	_, err := phone.requests.Ask(t.Context(), room, newSender(t).ID())
	phone.must(err)
	phone.must(phone.receive(bob, keyrequests.Request, asks("B", "1", session.ID())))
	slot, _ := records.NoticeSlot(device.Name{User: bob, Device: "B"}, session.ID())
	var open group.SessionID
	keys, err := txn.View(t.Context(), phone.account.DB, func(tx *txn.Tx) (keys []string, err error) {
		for r, err := range records.KeyRequests.Scan(tx) {
			if err != nil {
				return nil, err
			}
			open = r.Session
		}
		a, err := records.KeyAnswers.Key(tx, records.SlotOf(tablet.name(), "1"))
		if err != nil {
			return nil, err
		}
		n, err := records.KeyNotices.Key(tx, slot)
		if err != nil {
			return nil, err
		}
		r, err := records.KeyRequests.Key(tx, open)
		return []string{a, n, r}, err
	})
	phone.must(err)
	for _, key := range keys {
		w := kv.Write{Key: key, Value: []byte("damaged")}
		_, err := phone.engine.Commit(t.Context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{w}})
		phone.must(err)
	}
	phone.must(phone.receive(bob, keyrequests.Request, asks("B", "1", session.ID())))
	_, err = phone.requests.Ask(t.Context(), room, open)
	phone.must(err)
	answers := 0
	for _, e := range phone.sync(tablet) {
		if e.kind == "m.room.encrypted" {
			answers++
		}
	}
	if answers != 1 {
		t.Errorf("%d answers beside the damaged one", answers)
	}
	check := func() []records.Finding {
		t.Helper()
		found, err := upkeep.Check(t.Context(), phone.account, records.Kinds())
		phone.must(err)
		return found
	}
	if found := check(); len(found) != 1 {
		t.Errorf("check finds %v", found) // two were written anew
	}
	phone.must(phone.receive(alice, keyrequests.Request, asks("TABLET", "1", session.ID())))
	if found := check(); len(found) != 0 {
		t.Errorf("check finds %v", found)
	}
}
