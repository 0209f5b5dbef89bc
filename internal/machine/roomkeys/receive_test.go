package roomkeys_test

import (
	"errors"
	"maps"
	"testing"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
	"github.com/pawlkv/pawl/txn"
)

// TestReceiveRoomKey: what is stored is whose it is, and the earliest index stays.
func TestReceiveRoomKey(t *testing.T) {
	h, s := newHome(t, memkv.New()), newSender(t, bob)
	s.skip(3)
	later := s.roomKey(room)
	later["shared_history"] = true
	for _, c := range []struct {
		content map[string]any
		want    roomkeys.Result
		first   int64
	}{{later, roomkeys.New, 3}, {later, roomkeys.Same, 3}} {
		out, err := h.receive(s.from(true), roomkeys.RoomKey, c.content)
		if err != nil || out.Result != c.want || out.Unsettled || h.first(s.id()) != c.first {
			t.Errorf("%+v, %v, from %d; want %v, %d", out, err, h.first(s.id()), c.want, c.first)
		}
	}
	in, _ := h.stored(s.id())
	want := group.Source{Provenance: group.Direct, Sender: s.curve, Claimed: s.ed, SharedHistory: true}
	if in.Room() != room || in.Copies()[0].Source != want {
		t.Errorf("stored %+v of %s, want %+v", in.Copies()[0].Source, in.Room(), want)
	}
}

// TestRefusedRoomKeys: each has its error, and nothing is written.
func TestRefusedRoomKeys(t *testing.T) {
	h, s := newHome(t, memkv.New()), newSender(t, bob)
	if _, err := h.receive(s.from(true), roomkeys.RoomKey, s.roomKey(room)); err != nil {
		t.Fatal(err)
	}
	forgotten := newSender(t, bob)
	if _, err := h.receive(forgotten.from(true), roomkeys.RoomKey, forgotten.roomKey(room)); err != nil {
		t.Fatal(err)
	}
	if n, err := h.keys.Forget(t.Context(), roomkeys.Forgetting{Session: forgotten.id()}); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	plain := s.from(true)
	plain.Curve25519 = ratchet.PublicKey{}
	changed := func(name string, v any) map[string]any {
		c := maps.Clone(newSender(t, bob).roomKey(room))
		if c[name] = v; v == nil {
			delete(c, name)
		}
		return c
	}
	badly := newSender(t, bob)
	unsigned := badly.roomKey(room)
	share, err := badly.session.Share()
	must(t, err)
	share[200] ^= 1
	unsigned["session_key"] = unpadded.Encode(share)
	before := h.size()
	for name, c := range map[string]struct {
		from    roomkeys.From
		kind    string
		content any
		want    error
	}{
		"plain":                  {plain, roomkeys.RoomKey, s.roomKey(room), roomkeys.ErrPlain},
		"plain forwarded":        {plain, roomkeys.ForwardedRoomKey, s.forwarded(room, s.session.Key()), roomkeys.ErrPlain},
		"not an object":          {s.from(true), roomkeys.RoomKey, []int{1}, roomkeys.ErrContent},
		"no algorithm":           {s.from(true), roomkeys.RoomKey, changed("algorithm", nil), roomkeys.ErrContent},
		"another algorithm":      {s.from(true), roomkeys.RoomKey, changed("algorithm", "m.megolm.v2"), roomkeys.ErrAlgorithm},
		"no room":                {s.from(true), roomkeys.RoomKey, changed("room_id", nil), roomkeys.ErrContent},
		"not a room":             {s.from(true), roomkeys.RoomKey, changed("room_id", "#alias:example.org"), matrix.ErrRoomID},
		"a number for a room":    {s.from(true), roomkeys.RoomKey, changed("room_id", 5), roomkeys.ErrContent},
		"not a session id":       {s.from(true), roomkeys.RoomKey, changed("session_id", "AAAA"), roomkeys.ErrContent},
		"another session's id":   {s.from(true), roomkeys.RoomKey, changed("session_id", s.id().String()), roomkeys.ErrSessionID},
		"no key":                 {s.from(true), roomkeys.RoomKey, changed("session_key", nil), roomkeys.ErrContent},
		"not base64":             {s.from(true), roomkeys.RoomKey, changed("session_key", "*"), roomkeys.ErrContent},
		"a short key":            {s.from(true), roomkeys.RoomKey, changed("session_key", "AgAA"), group.ErrMalformed},
		"an exported key":        {s.from(true), roomkeys.RoomKey, changed("session_key", "AQAA"), group.ErrVersion},
		"another's signature":    {s.from(true), roomkeys.RoomKey, unsigned, group.ErrSignature},
		"another room's session": {s.from(true), roomkeys.RoomKey, s.roomKey(other), roomkeys.ErrOtherRoom},
		"below the floor":        {s.from(true), roomkeys.RoomKey, forgotten.roomKey(room), group.ErrForgotten},
		"forwarded by somebody":  {s.from(true), roomkeys.ForwardedRoomKey, s.forwarded(room, s.session.Key()), roomkeys.ErrNotRequested},
		"an unknown type":        {s.from(true), "m.dummy", s.roomKey(room), roomkeys.ErrContent},
	} {
		if _, err := h.receive(c.from, c.kind, c.content); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if now := h.size(); now != before || h.first(s.id()) != 0 || h.first(forgotten.id()) != -1 {
			t.Fatalf("%s: %d records, want %d", name, now, before)
		}
	}
}

// TestForwarded: only from an own verified device, and only what was asked for.
func TestForwarded(t *testing.T) {
	h, s := newHome(t, memkv.New()), newSender(t, bob)
	own := newSender(t, alice).from(true)
	own.Trust = device.Verified
	asked := false
	h.keys.Requested = func(_ *txn.Tx, from roomkeys.From, in matrix.RoomID, id group.SessionID) (bool, error) {
		return asked && from.Curve25519 == own.Curve25519 && in == room && id == s.id(), nil
	}
	stranger := own
	stranger.User, stranger.Device.User = bob, bob
	content := s.forwarded(room, exported(t, s.session.Key(), 2))
	if _, err := h.receive(own, roomkeys.ForwardedRoomKey, content); !errors.Is(err, roomkeys.ErrNotRequested) {
		t.Errorf("not asked for: %v", err)
	}
	asked = true
	for _, trust := range []device.Trust{device.Unsigned, device.CrossSigned} {
		unverified := own
		unverified.Trust = trust
		if _, err := h.receive(unverified, roomkeys.ForwardedRoomKey, content); !errors.Is(err, roomkeys.ErrNotRequested) {
			t.Errorf("from a device that is %v: %v", trust, err)
		}
	}
	if _, err := h.receive(stranger, roomkeys.ForwardedRoomKey, content); !errors.Is(err, roomkeys.ErrNotRequested) {
		t.Errorf("from another's verified device: %v", err)
	}
	out, err := h.receive(own, roomkeys.ForwardedRoomKey, content)
	if err != nil || out.Result != roomkeys.New || out.Provenance != group.Forwarded {
		t.Fatalf("%+v, %v", out, err)
	}
	in, _ := h.stored(s.id())
	want := group.Source{Provenance: group.Forwarded, Sender: s.curve, Claimed: s.ed, Giver: own.Curve25519}
	if got := in.Copies()[0].Source; got != want || h.first(s.id()) != 2 {
		t.Errorf("%+v from %d, want %+v from 2", got, h.first(s.id()), want)
	}
}

// TestContradictions: of copies that do not fit the better provenance is kept, or
// what is stored, and the other is reported.
func TestContradictions(t *testing.T) {
	h, s := newHome(t, memkv.New()), newSender(t, bob)
	file := func(room matrix.RoomID, k group.Key) roomkeys.Import {
		return roomkeys.Import{Room: room, Key: k, Source: group.Source{Provenance: group.File, Sender: s.curve}}
	}
	for _, c := range []struct {
		give roomkeys.Import
		want error
	}{{file(other, forged(t, s.session.Key())), nil}, {file(other, s.session.Key()), roomkeys.ErrContradicts}, {file(room, s.session.Key()), roomkeys.ErrOtherRoom}} {
		done, err := h.keys.Import(t.Context(), []roomkeys.Import{c.give})
		if err != nil || c.want == nil && done.New != 1 || c.want != nil && (len(done.Refused) != 1 || !errors.Is(done.Refused[0].Err, c.want)) {
			t.Errorf("%+v, %v; want %v", done, err, c.want)
		}
	}
	out, err := h.receive(s.from(true), roomkeys.RoomKey, s.roomKey(room))
	if err != nil || out.Result != roomkeys.Replaced || len(out.GivenUp) != 1 || !out.GivenUp[0].Stored {
		t.Fatalf("the owner's key: %+v, %v", out, err)
	}
	own := newSender(t, alice).from(true)
	own.Trust = device.Verified
	h.keys.Requested = func(*txn.Tx, roomkeys.From, matrix.RoomID, group.SessionID) (bool, error) { return true, nil }
	if _, err := h.receive(own, roomkeys.ForwardedRoomKey, s.forwarded(room, forged(t, s.session.Key()))); !errors.Is(err, roomkeys.ErrContradicts) {
		t.Errorf("forwarded: %v", err)
	}
	done, err := h.keys.Import(t.Context(), []roomkeys.Import{file(room, forged(t, s.session.Key()))})
	if err != nil || len(done.Refused) != 1 || !errors.Is(done.Refused[0].Err, roomkeys.ErrContradicts) {
		t.Errorf("%+v, %v", done, err)
	}
	if in, _ := h.stored(s.id()); in.Room() != room || len(in.Copies()) != 1 || in.Copies()[0].Provenance != group.Direct {
		t.Errorf("stored of %s: %d copies", in.Room(), len(in.Copies()))
	}
}

// TestUnsettled: keys of a device that nobody knows are kept and marked, no more than
// so many, in one user's name, until it is known.
func TestUnsettled(t *testing.T) {
	h, s := newHome(t, memkv.New()), newSender(t, bob)
	var first group.SessionID
	for i := range records.MaxUnsettled {
		s.rotate()
		if i == 0 {
			first = s.id()
		}
		out, err := h.receive(s.from(false), roomkeys.RoomKey, s.roomKey(room))
		if err != nil || !out.Unsettled || out.Result != roomkeys.New {
			t.Fatalf("%+v, %v", out, err)
		}
	}
	before := h.size()
	if out, err := h.receive(s.from(false), roomkeys.RoomKey, s.roomKey(room)); err != nil || out.Result != roomkeys.Same {
		t.Errorf("again: %+v, %v", out, err)
	}
	last := s.id()
	s.rotate()
	if _, err := h.receive(s.from(false), roomkeys.RoomKey, s.roomKey(room)); !errors.Is(err, roomkeys.ErrUnsettled) {
		t.Errorf("one more: %v", err)
	}
	mallory := s.from(false)
	mallory.User = "@mallory:example.org"
	if _, err := h.receive(mallory, roomkeys.RoomKey, s.roomKey(room)); !errors.Is(err, roomkeys.ErrOtherUser) {
		t.Errorf("in another's name: %v", err)
	}
	if now := h.size(); now != before || h.first(first) != 0 || h.first(last) != 0 {
		t.Errorf("%d records, want %d; from %d and %d", now, before, h.first(first), h.first(last))
	}
	marks := func(want int) {
		t.Helper()
		n := 0
		h.do(func(tx *txn.Tx) error {
			n = 0
			for range records.Unsettleds.Scan(tx) {
				n++
			}
			return nil
		})
		if n != want {
			t.Errorf("%d devices are marked, want %d", n, want)
		}
	}
	must(t, h.keys.Settle(t.Context(), []matrix.UserID{bob, alice})) // the answer has shown no such device
	marks(1)
	h.knows(s, "SENDER")
	for range 2 {
		must(t, h.keys.Settle(t.Context(), []matrix.UserID{alice, bob}))
		marks(0)
	}
	if out, err := h.receive(s.from(true), roomkeys.RoomKey, s.roomKey(room)); err != nil || out.Unsettled || h.first(first) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
}
