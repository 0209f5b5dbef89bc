package roomkeys_test

import (
	"errors"
	"testing"

	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
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
