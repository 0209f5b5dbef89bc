package roomkeys_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// encrypt returns an event with this payload, and moves the session on.
func (s *sender) encrypt(room matrix.RoomID, id matrix.EventID, payload string) roomkeys.Event {
	s.Helper()
	next, body, err := s.session.Encrypt([]byte(payload))
	must(s, err)
	s.session = next
	content, err := json.Marshal(map[string]any{
		"algorithm": account.Megolm, "session_id": s.id().String(), "ciphertext": unpadded.Encode(body), "device_id": "SENDER", "sender_key": s.curve.String(),
	})
	must(s, err)
	return roomkeys.Event{Room: room, ID: id, Sender: s.user, Content: content}
}

// text is the payload of a message.
func text(room matrix.RoomID, body string) string {
	return fmt.Sprintf(`{"type":"m.room.message","content":{"body":%q},"room_id":%q}`, body, room)
}

// with returns the event with another member of its content.
func with(t testing.TB, e roomkeys.Event, name string, v any) roomkeys.Event {
	var c map[string]any
	must(t, json.Unmarshal(e.Content, &c))
	if c[name] = v; v == nil {
		delete(c, name)
	}
	raw, err := json.Marshal(c)
	must(t, err)
	e.Content = raw
	return e
}

// harmed returns the event with a changed byte of its message, counted from the end.
func harmed(t testing.TB, e roomkeys.Event, fromEnd int) roomkeys.Event {
	var c struct{ Ciphertext string }
	must(t, json.Unmarshal(e.Content, &c))
	b, _ := unpadded.Decode(c.Ciphertext)
	b[len(b)-fromEnd] ^= 1
	return with(t, e, "ciphertext", unpadded.Encode(b))
}

// newTalk is an account that has the key of a sender whose device is known.
func newTalk(t testing.TB, engine kv.Store) (*home, *sender) {
	h, s := newHome(t, engine), newSender(t, bob)
	h.knows(s, "SENDER")
	_, err := h.receive(s.from(true), roomkeys.RoomKey, s.roomKey(room))
	must(t, err)
	return h, s
}

// knows stores the sender's device.
func (h *home) knows(s *sender, id matrix.DeviceID) {
	h.Helper()
	name := device.Name{User: s.user, Device: id}
	h.do(func(tx *txn.Tx) error {
		d := device.Device{Claim: device.Claim{Keys: device.Keys{Name: name, Curve25519: s.curve, Ed25519: s.ed, Olm: true, Megolm: true}}, Seen: h.now}
		if err := errors.Join(records.InNoRoom(tx, s.user), records.PutUser(tx, device.Tracking{User: s.user}.Track())); err != nil {
			return err
		}
		if err := records.Owners.Put(tx, device.Owner{Key: s.curve, Claimers: []device.Name{name}}); err != nil {
			return err
		}
		return records.Devices.Put(tx, d)
	})
}

// TestDecrypt: what is read, and whose it is.
func TestDecrypt(t *testing.T) {
	h, s := newTalk(t, memkv.New())
	e := s.encrypt(room, "$1", text(room, "one"))
	for _, process := range []*home{h, h, h.beside()} {
		got, err := process.keys.Decrypt(t.Context(), e)
		if err != nil || got.Type != "m.room.message" || string(got.Content) != `{"body":"one"}` || got.Index != 0 || got.Session != s.id() || got.StateKey != nil {
			t.Fatalf("%+v, %v", got.Type, err)
		}
		want := roomkeys.Party{Curve25519: s.curve, Ed25519: s.ed, Device: device.Name{User: bob, Device: "SENDER"}, State: roomkeys.Known}
		if got.Sender != want || got.Provenance != group.Direct || got.Forwarder != nil || got.Damaged != 0 {
			t.Errorf("from %+v, %v, by %v; want %+v", got.Sender, got.Provenance, got.Forwarder, want)
		}
	}
}

// TestRelations: what an event relates to is taken from outside where the payload
// says nothing of it.
func TestRelations(t *testing.T) {
	h, s := newTalk(t, memkv.New())
	relation := map[string]any{"rel_type": "m.thread"}
	for i, c := range []struct {
		content string
		outside any
		want    string
	}{
		{`{}`, relation, `{"m.relates_to":{"rel_type":"m.thread"}}`},
		{`{ }`, relation, `{"m.relates_to":{"rel_type":"m.thread"}}`},
		{`{"a":1 }`, relation, `{"a":1,"m.relates_to":{"rel_type":"m.thread"}}`},
		{`{"m.relates_to":{}}`, relation, `{"m.relates_to":{}}`},
		{`{"m.relates_to":null}`, relation, `{"m.relates_to":null}`},
		{`{"M.relates_to":{}}`, relation, `{"M.relates_to":{},"m.relates_to":{"rel_type":"m.thread"}}`},
		{`{"a":1}`, nil, `{"a":1}`},
		{`{"a":1}`, "m.thread", `{"a":1}`},
	} {
		e := s.encrypt(room, matrix.EventID(fmt.Sprintf("$%d", i)), fmt.Sprintf(`{"type":"m.x","content":%s,"room_id":%q,"state_key":"k"}`, c.content, room))
		got, err := h.keys.Decrypt(t.Context(), with(t, e, "m.relates_to", c.outside))
		if err != nil || string(got.Content) != c.want || !json.Valid(got.Content) || got.StateKey == nil || *got.StateKey != "k" {
			t.Errorf("%s: %s, %v; want %s", c.content, got.Content, err, c.want)
		}
	}
}

// TestRefusedEvents: each has its error, and nothing is written.
func TestRefusedEvents(t *testing.T) {
	h, s := newTalk(t, memkv.New())
	late := newSender(t, bob)
	early := late.encrypt(room, "$early", text(room, "early"))
	h.knows(late, "LATE")
	made := newSender(t, bob)
	madeUp := roomkeys.Import{Room: room, Key: forged(t, made.session.Key()), Source: group.Source{Provenance: group.File, Sender: made.curve}}
	unvouched := made.encrypt(room, "$forged", text(room, "forged"))
	for _, err := range []error{
		second(h.receive(late.from(true), roomkeys.RoomKey, late.roomKey(room))),
		second(h.keys.Import(t.Context(), []roomkeys.Import{madeUp})),
	} {
		must(t, err)
	}
	seen := s.encrypt(room, "$seen", text(room, "seen"))
	if _, err := h.keys.Decrypt(t.Context(), seen); err != nil {
		t.Fatal(err)
	}
	again := seen
	again.ID = "$again"
	nameless := seen
	nameless.ID = ""
	moved := s.encrypt(other, "$moved", text(other, "moved"))
	fresh := s.encrypt(room, "$fresh", text(room, "fresh"))
	mallory := fresh
	mallory.Sender = "@mallory:example.org"
	nobody, nowhere, noID := fresh, fresh, fresh
	nobody.Sender, nowhere.Room, noID.ID = "bob", "#room", "5"
	unknown := newSender(t, bob)
	large := fresh
	large.Content = json.RawMessage(`{"x":"` + strings.Repeat("x", roomkeys.MaxContent) + `"}`)
	before := h.size()
	for name, c := range map[string]struct {
		event roomkeys.Event
		want  error
	}{
		"not a user":             {nobody, matrix.ErrUserID},
		"not a room":             {nowhere, matrix.ErrRoomID},
		"not an event id":        {noID, matrix.ErrEventID},
		"not an object":          {roomkeys.Event{Room: room, Sender: bob, Content: json.RawMessage(`[]`)}, roomkeys.ErrContent},
		"not JSON":               {roomkeys.Event{Room: room, Sender: bob, Content: json.RawMessage(`{`)}, roomkeys.ErrContent},
		"too large":              {large, roomkeys.ErrContent},
		"no algorithm":           {with(t, fresh, "algorithm", nil), roomkeys.ErrContent},
		"another algorithm":      {with(t, fresh, "algorithm", "m.olm.v1.curve25519-aes-sha2"), roomkeys.ErrAlgorithm},
		"no session":             {with(t, fresh, "session_id", nil), roomkeys.ErrContent},
		"no text":                {with(t, fresh, "ciphertext", map[string]any{}), roomkeys.ErrContent},
		"not base64":             {with(t, fresh, "ciphertext", "*"), roomkeys.ErrContent},
		"malformed":              {with(t, fresh, "ciphertext", "AwgA"), group.ErrMalformed},
		"another version":        {with(t, fresh, "ciphertext", "BAgA"), group.ErrVersion},
		"bad signature":          {harmed(t, fresh, 1), group.ErrSignature},
		"bad MAC":                {unvouched, group.ErrMAC},
		"no key":                 {unknown.encrypt(room, "$x", text(room, "x")), group.ErrNoKey},
		"before the first known": {early, group.ErrTooEarly},
		"replay":                 {again, roomkeys.ErrReplay},
		"replay without an id":   {nameless, roomkeys.ErrReplay},
		"session of another":     {moved, roomkeys.ErrOtherRoom},
		"made for another room":  {s.encrypt(room, "$y", text(other, "y")), roomkeys.ErrOtherRoom},
		"of no room":             {s.encrypt(room, "$y", `{"type":"m.x","content":{}}`), roomkeys.ErrContent},
		"of no type":             {s.encrypt(room, "$y", `{"content":{},"room_id":"!room:example.org"}`), roomkeys.ErrContent},
		"of no content":          {s.encrypt(room, "$y", `{"type":"m.x","content":[],"room_id":"!room:example.org"}`), roomkeys.ErrContent},
		"state of no key":        {s.encrypt(room, "$y", `{"type":"m.x","content":{},"room_id":"!room:example.org","state_key":5}`), roomkeys.ErrContent},
		"empty":                  {s.encrypt(room, "$y", ``), roomkeys.ErrContent},
		"another user's":         {mallory, roomkeys.ErrOtherUser},
	} {
		if _, err := h.keys.Decrypt(t.Context(), c.event); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if now := h.size(); now != before {
			t.Fatalf("%s: %d records, want %d", name, now, before)
		}
	}
	var index *group.IndexError
	if _, err := h.keys.Decrypt(t.Context(), early); !errors.As(err, &index) || *index != (group.IndexError{First: 1, Index: 0}) {
		t.Errorf("%v", err)
	}
	if _, err := h.keys.Decrypt(t.Context(), fresh); err != nil {
		t.Errorf("nothing was wrong with it: %v", err)
	}
}

// TestNamelessEvents: they are checked, and take nobody's place; where an event with an
// id has that they are another event.
func TestNamelessEvents(t *testing.T) {
	h, s := newTalk(t, memkv.New())
	e := s.encrypt(room, "", text(room, "push"))
	before := h.size()
	for range 2 {
		if _, err := h.keys.Decrypt(t.Context(), e); err != nil || h.size() != before {
			t.Fatalf("%v, %d records, want %d", err, h.size(), before)
		}
	}
	e.ID = "$1"
	if _, err := h.keys.Decrypt(t.Context(), e); err != nil || h.size() != before+1 {
		t.Errorf("%v, %d records, want %d", err, h.size(), before+1)
	}
	if _, err := h.keys.Decrypt(t.Context(), e); err != nil || h.size() != before+1 {
		t.Errorf("the same again: %v", err)
	}
	e.ID = ""
	if _, err := h.keys.Decrypt(t.Context(), e); !errors.Is(err, roomkeys.ErrReplay) || h.size() != before+1 {
		t.Errorf("without an id where one with has the place: %v", err)
	}
}

// TestReplayRace: of processes that read different events with one message at once
// exactly one does, and the others are refused; of those that read the same event all
// do.
func TestReplayRace(t *testing.T) {
	h, s := newTalk(t, memkv.New())
	for round := range 30 {
		e := s.encrypt(room, "", text(room, "once"))
		ids := []matrix.EventID{"$a", "$b", "$a", "$b"}
		errs := make([]error, len(ids))
		var all sync.WaitGroup
		for i, id := range ids {
			process, mine := h.beside(), e
			mine.ID = matrix.EventID(fmt.Sprintf("%s%d", id, round))
			all.Go(func() { _, errs[i] = process.keys.Decrypt(t.Context(), mine) })
		}
		all.Wait()
		a, b := errs[0] == nil, errs[1] == nil
		if a == b || (errs[2] == nil) != a || (errs[3] == nil) != b {
			t.Fatalf("%v", errs)
		}
		for _, err := range errs {
			if err != nil && !errors.Is(err, roomkeys.ErrReplay) {
				t.Errorf("%v", err)
			}
		}
	}
}

// TestWhoItIs: what an event says of its sender is what answers to /keys/query say
// now.
func TestWhoItIs(t *testing.T) {
	h, s := newHome(t, memkv.New()), newSender(t, bob)
	_, err := h.receive(s.from(false), roomkeys.RoomKey, s.roomKey(room))
	must(t, err)
	e := s.encrypt(room, "$1", text(room, "who am I?"))
	state := func(want roomkeys.State) roomkeys.Party {
		t.Helper()
		got, err := h.keys.Decrypt(t.Context(), e)
		if err != nil || got.Sender.State != want {
			t.Errorf("%v, %v; want %v", got.Sender.State, err, want)
		}
		return got.Sender
	}
	if p := state(roomkeys.Unknown); p.Device != (device.Name{User: bob}) || p.Ed25519 != s.ed {
		t.Errorf("%+v", p)
	}
	mallory := e
	mallory.Sender = "@mallory:example.org"
	if _, err := h.keys.Decrypt(t.Context(), mallory); !errors.Is(err, roomkeys.ErrOtherUser) {
		t.Errorf("in another's name: %v", err)
	}
	change := func(do func(*device.Device, *device.Owner)) {
		h.knows(s, "SENDER")
		h.do(func(tx *txn.Tx) error {
			d, _, err := records.Devices.Get(tx, device.Name{User: bob, Device: "SENDER"})
			must(t, err)
			o, _, err := records.Owners.Get(tx, s.curve)
			must(t, err)
			do(&d, &o)
			must(t, records.Devices.Put(tx, d))
			return records.Owners.Put(tx, o)
		})
	}
	change(func(*device.Device, *device.Owner) {})
	state(roomkeys.Known)
	change(func(d *device.Device, _ *device.Owner) { d.Gone = h.now })
	state(roomkeys.Gone)
	change(func(d *device.Device, o *device.Owner) {
		d.Disputed, o.Open = true, true
		o.Claimers = append(o.Claimers, device.Name{User: "@mallory:example.org", Device: "M"})
	})
	state(roomkeys.Disputed)
	change(func(d *device.Device, o *device.Owner) {
		d.Disputed, o.Open = true, true
		o.Claimers = []device.Name{{User: "@carol:example.org", Device: "C"}, {User: "@mallory:example.org", Device: "M"}}
	})
	if _, err := h.keys.Decrypt(t.Context(), e); !errors.Is(err, roomkeys.ErrOtherUser) {
		t.Errorf("others dispute the key: %v", err)
	}
	// Who is verified is so by the identities, as they are now.
	identity := func(bobs device.Known, want roomkeys.IdentityState, trust device.Trust) {
		t.Helper()
		change(func(d *device.Device, _ *device.Owner) { d.SignedBy = account.VerifyKey{3} })
		bobs.User, bobs.Master, bobs.SelfSigning = bob, account.VerifyKey{2}, account.VerifyKey{3}
		h.do(func(tx *txn.Tx) error { return records.Identities.Put(tx, bobs) })
		if p := state(roomkeys.Known); p.Identity != want || p.Trust != trust {
			t.Errorf("identity %v, trust %v; want %v, %v", p.Identity, p.Trust, want, trust)
		}
	}
	identity(device.Known{Pinned: account.VerifyKey{2}}, roomkeys.Pinned, device.CrossSigned)
	identity(device.Known{Pinned: account.VerifyKey{5}}, roomkeys.Changed, device.Unsigned)
	compared := device.Known{Pinned: account.VerifyKey{2}, Verified: account.VerifyKey{2}}
	identity(compared, roomkeys.Pinned, device.CrossSigned) // the own user has no identity
	own := device.Known{Identity: device.Identity{User: alice, Master: account.VerifyKey{6}}, Pinned: account.VerifyKey{6}}
	h.do(func(tx *txn.Tx) error { return records.Identities.Put(tx, own) })
	identity(compared, roomkeys.Pinned, device.CrossSigned) // and it was only seen
	h.do(func(tx *txn.Tx) error { return records.Identities.Put(tx, own.Verify()) })
	identity(compared, roomkeys.Verified, device.Verified)
	// The device that has the key is not the one that it said it was.
	change(func(d *device.Device, _ *device.Owner) { d.Ed25519[0] ^= 1 })
	if _, err := h.keys.Decrypt(t.Context(), e); !errors.Is(err, roomkeys.ErrOtherUser) {
		t.Errorf("another fingerprint: %v", err)
	}
}

// TestForwarder: who forwarded a key is said with what it opened, and a copy that
// nobody vouches for is read, and said to be another's.
func TestForwarder(t *testing.T) {
	h, s, own := newHome(t, memkv.New()), newSender(t, bob), newSender(t, alice)
	h.knows(own, "TABLET")
	h.knows(s, "SENDER")
	h.keys.Requested = func(*txn.Tx, roomkeys.From, matrix.RoomID, group.SessionID) (bool, error) { return true, nil }
	from := own.from(true)
	from.Trust = device.Verified
	must(t, second(h.receive(from, roomkeys.ForwardedRoomKey, s.forwarded(room, s.session.Key()))))
	got, err := h.keys.Decrypt(t.Context(), s.encrypt(room, "$1", text(room, "one")))
	want := roomkeys.Party{Curve25519: own.curve, Ed25519: own.ed, Device: device.Name{User: alice, Device: "TABLET"}, State: roomkeys.Known}
	if err != nil || got.Provenance != group.Forwarded || got.Forwarder == nil || *got.Forwarder != want || got.Sender.State != roomkeys.Known {
		t.Errorf("%v of %v by %+v, %v; want %+v", got.Provenance, got.Sender.State, got.Forwarder, err, want)
	}
	s.rotate()
	must(t, second(h.keys.Import(t.Context(), copies(t, []*sender{s}, 0, group.File))))
	e := s.encrypt(room, "$2", text(room, "two"))
	e.Sender = "@mallory:example.org"
	if got, err := h.keys.Decrypt(t.Context(), e); err != nil || got.Sender.State != roomkeys.Mismatched || got.Sender.Device.User != bob || got.Sender.Trust != device.Unsigned {
		t.Errorf("%+v, %v", got.Sender, err)
	}
}

// TestAllowMismatched: an event of a session by somebody else's device is read where the
// reader allows it, and says whose the device is; it takes the place of its message as any
// other. Who is only said to be another, in whose name the key came, is told as well.
func TestAllowMismatched(t *testing.T) {
	h, s := newTalk(t, memkv.New())
	ghost := s.encrypt(room, "$1", text(room, "by a ghost"))
	ghost.Sender = "@ghost:example.org"
	if _, err := h.keys.Decrypt(t.Context(), ghost); !errors.Is(err, roomkeys.ErrOtherUser) {
		t.Errorf("not allowed: %v", err)
	}
	ghost.AllowMismatched = true
	want := roomkeys.Party{Curve25519: s.curve, Ed25519: s.ed, Device: device.Name{User: bob, Device: "SENDER"}, State: roomkeys.Mismatched}
	for _, process := range []*home{h, h, h.beside()} {
		got, err := process.keys.Decrypt(t.Context(), ghost)
		if err != nil || got.Sender != want || string(got.Content) != `{"body":"by a ghost"}` {
			t.Errorf("allowed: %+v, %v; want %+v", got.Sender, err, want)
		}
	}
	again := ghost
	again.ID = "$2"
	if _, err := h.keys.Decrypt(t.Context(), again); !errors.Is(err, roomkeys.ErrReplay) {
		t.Errorf("another event with the same message: %v", err)
	}
	own := s.encrypt(room, "$3", text(room, "by bob"))
	own.AllowMismatched = true
	if got, err := h.keys.Decrypt(t.Context(), own); err != nil || got.Sender.State != roomkeys.Known {
		t.Errorf("the sender's own: %v, %v", got.Sender.State, err)
	}

	h, s = newHome(t, memkv.New()), newSender(t, bob)
	must(t, second(h.receive(s.from(false), roomkeys.RoomKey, s.roomKey(room))))
	ghost = s.encrypt(room, "$1", text(room, "by a ghost"))
	ghost.Sender, ghost.AllowMismatched = "@ghost:example.org", true
	got, err := h.keys.Decrypt(t.Context(), ghost)
	if err != nil || got.Sender.State != roomkeys.Mismatched || got.Sender.Device != (device.Name{User: ghost.Sender}) {
		t.Errorf("by a device that nobody knows: %+v, %v", got.Sender, err)
	}
}

// TestHintsSaveTrips: whoever has read in a session reads the next message of it with
// one round trip and its commit.
func TestHintsSaveTrips(t *testing.T) {
	h, s := newTalk(t, memkv.New())
	trips := 0
	process := h.beside(txn.WithCache(txn.NoCache), txn.WithObserver(func(r txn.Report) { trips = r.RoundTrips }))
	for i, want := range []int{4, 2, 2} {
		_, err := process.keys.Decrypt(t.Context(), s.encrypt(room, matrix.EventID(fmt.Sprintf("$%d", i)), text(room, "text")))
		if err != nil || trips != want {
			t.Errorf("message %d: %d round trips, %v; want %d", i, trips, err, want)
		}
	}
}
