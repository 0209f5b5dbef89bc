package roomkeys_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// smallest is the engine that takes least.
func smallest() kv.Store { return memkv.New(memkv.WithLimits(kv.Floor())) }

// TestForget: what is forgotten by room, device or session is gone, and the rest is
// not.
func TestForget(t *testing.T) {
	for name, c := range map[string]struct {
		of   func(s []*sender) roomkeys.Forgetting
		gone []bool // of the sessions: bob in room, carol in room, bob in other
		left int64  // the first index of those that are left to some extent
	}{
		"room":            {func([]*sender) roomkeys.Forgetting { return roomkeys.Forgetting{Room: room} }, []bool{true, true, false}, -1},
		"device":          {func(s []*sender) roomkeys.Forgetting { return roomkeys.Forgetting{Device: s[0].curve} }, []bool{true, false, true}, -1},
		"session":         {func(s []*sender) roomkeys.Forgetting { return roomkeys.Forgetting{Session: s[1].id()} }, []bool{false, true, false}, -1},
		"device in room":  {func(s []*sender) roomkeys.Forgetting { return roomkeys.Forgetting{Room: other, Device: s[0].curve} }, []bool{false, false, true}, -1},
		"room up to 5":    {func([]*sender) roomkeys.Forgetting { return roomkeys.Forgetting{Room: room, Below: 5} }, []bool{true, true, false}, 5},
		"session up to 5": {func(s []*sender) roomkeys.Forgetting { return roomkeys.Forgetting{Session: s[1].id(), Below: 5} }, []bool{false, true, false}, 5},
		"nobody":          {func([]*sender) roomkeys.Forgetting { return roomkeys.Forgetting{Room: "!nowhere:example.org"} }, []bool{false, false, false}, -1},
	} {
		h := newHome(t, smallest())
		s := []*sender{newSender(t, bob), newSender(t, "@carol:example.org"), newSender(t, bob)}
		s[2].curve = s[0].curve
		rooms := []matrix.RoomID{room, room, other}
		want := 0
		for i := range s {
			must(t, second(h.receive(s[i].from(true), roomkeys.RoomKey, s[i].roomKey(rooms[i]))))
			if c.gone[i] {
				want++
			}
		}
		for _, n := range []int{want, 0} { // the second time there is nothing left to do
			if got, err := h.keys.Forget(t.Context(), c.of(s)); err != nil || got != n {
				t.Errorf("%s: %d forgotten, %v; want %d", name, got, err, n)
			}
		}
		for i := range s {
			first := int64(0)
			if c.gone[i] {
				first = c.left
			}
			if got := h.first(s[i].id()); got != first {
				t.Errorf("%s: session %d is read from %d on, want %d", name, i, got, first)
			}
		}
	}
	if _, err := newHome(t, smallest()).keys.Forget(t.Context(), roomkeys.Forgetting{Below: 3}); !errors.Is(err, roomkeys.ErrForgetAll) {
		t.Errorf("of nothing: %v", err)
	}
}

// TestNothingComesBack: what lies below the floor is brought back by no way in which
// keys come, and its events are refused as what they are.
func TestNothingComesBack(t *testing.T) {
	for _, below := range []uint64{0, 2} {
		h, s := newTalk(t, memkv.New())
		whole := s.session.Key()
		again := s.roomKey(room)
		var events []roomkeys.Event
		for i := range 4 {
			events = append(events, s.encrypt(room, matrix.EventID(fmt.Sprintf("$%d", i)), text(room, "text")))
		}
		if _, err := h.keys.Decrypt(t.Context(), events[0]); err != nil { // a hint of how far it was read
			t.Fatal(err)
		}
		if n, err := h.keys.Forget(t.Context(), roomkeys.Forgetting{Session: s.id(), Below: below}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		own := newSender(t, alice).from(true)
		own.Trust = device.Verified
		process := h.beside()
		process.keys.Requested = func(*txn.Tx, roomkeys.From, matrix.RoomID, group.SessionID) (bool, error) { return true, nil }
		for _, err := range []error{
			second(process.receive(s.from(true), roomkeys.RoomKey, again)),
			second(process.receive(own, roomkeys.ForwardedRoomKey, s.forwarded(room, whole))),
		} {
			if errors.Is(err, group.ErrForgotten) != (below == 0) || below != 0 && err != nil {
				t.Errorf("%v", err)
			}
		}
		for _, p := range []group.Provenance{group.Bundle, group.Backup, group.File} {
			done, err := process.keys.Import(t.Context(), []roomkeys.Import{{Room: room, Key: exported(t, whole, 0), Source: group.Source{Provenance: p, Sender: s.curve}}})
			if err != nil || len(done.Refused) == 1 != (below == 0) {
				t.Errorf("%v: %+v, %v", p, done, err)
			}
		}
		for i, e := range events {
			_, err := process.keys.Decrypt(t.Context(), e)
			if forgotten := below == 0 || uint64(i) < below; errors.Is(err, group.ErrForgotten) != forgotten || !forgotten && err != nil {
				t.Errorf("below %d: event %d: %v", below, i, err)
			}
		}
	}
}

// TestReplaysBelowTheFloor: a sweep takes what says which events had the messages that
// nobody can read any more, and nothing else.
func TestReplaysBelowTheFloor(t *testing.T) {
	h, s := newTalk(t, smallest())
	const many = 130 // more than one commit takes here
	for i := range many {
		_, err := h.keys.Decrypt(t.Context(), s.encrypt(room, matrix.EventID(fmt.Sprintf("$%d", i)), text(room, "text")))
		must(t, err)
	}
	rows := func() (n int) {
		h.do(func(tx *txn.Tx) error {
			n = 0
			for _, err := range records.Replays.Scan(tx) {
				must(t, err)
				n++
			}
			return nil
		})
		return n
	}
	for _, below := range []uint64{0, 120, group.Whole} {
		if below > 0 {
			_, err := h.keys.Forget(t.Context(), roomkeys.Forgetting{Session: s.id(), Below: below})
			must(t, err)
		}
		_, err := upkeep.Sweep(t.Context(), h.account, records.Kinds(), h.now)
		must(t, err)
		if got, want := rows(), max(many-int(min(below, many)), 0); got != want {
			t.Errorf("below %d: %d rows are left, want %d", below, got, want)
		}
	}
	if found, err := upkeep.Check(t.Context(), h.account, records.Kinds()); err != nil || len(found) > 0 {
		t.Errorf("check finds %v, %v", found, err)
	}
}
