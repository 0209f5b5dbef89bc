package rooms_test

import (
	"errors"
	"testing"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/matrix"
)

// TestRotation: what makes another session necessary, and what does not.
func TestRotation(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(h *handle)
		rotates bool
		readers []string
	}{
		"a name changes":  {func(h *handle) { sync(h.T, h.account, false, member(bob, "join")) }, false, []string{"B1", "B2", "C1"}},
		"a new device":    {func(h *handle) { h.add(bob, "B3"); h.changes(bob) }, false, []string{"B1", "B2", "B3", "C1"}},
		"a member leaves": {func(h *handle) { sync(h.T, h.account, false, member(bob, "leave")) }, true, []string{"C1"}},
		"a member leaves, and nobody heard of it": {func(h *handle) { h.left(bob) }, true, []string{"C1"}},
		"a device goes":  {func(h *handle) { h.peers[device.Name{User: bob, Device: "B1"}].gone = true; h.changes(bob) }, true, []string{"B2", "C1"}},
		"somebody joins": {func(h *handle) { h.add(dave, "D1"); sync(h.T, h.account, false, member(dave, "join")); h.joined(dave) }, false, []string{"B1", "B2", "C1", "D1"}},
		"asked for":      {func(h *handle) { must(h.T, h.rooms.Rotate(h.Context(), room)) }, true, []string{"B1", "B2", "C1"}},
		"age":            {func(h *handle) { h.now = h.now.Add(7 * 24 * time.Hour) }, true, []string{"B1", "B2", "C1"}},
		"not yet of age": {func(h *handle) { h.now = h.now.Add(7*24*time.Hour - time.Minute) }, false, []string{"B1", "B2", "C1"}},
		"count": {func(h *handle) {
			for range group.DefaultMessages - 1 {
				h.mustEncrypt("text")
			}
		}, true, []string{"B1", "B2", "C1"}},
		"its history is hidden": {func(h *handle) {
			sync(h.T, h.account, false, state("m.room.history_visibility", `{"history_visibility":"joined"}`))
		}, true, []string{"B1", "B2", "C1"}},
		"its history is shown to more": {func(h *handle) {
			sync(h.T, h.account, false, state("m.room.history_visibility", `{"history_visibility":"world_readable"}`))
		}, false, []string{"B1", "B2", "C1"}},
		"its settings change": {func(h *handle) {
			sync(h.T, h.account, false, state("m.room.encryption", `{"algorithm":"m.megolm.v1.aes-sha2","rotation_period_msgs":50}`))
		}, true, []string{"B1", "B2", "C1"}},
		"its settings stay": {func(h *handle) {
			sync(h.T, h.account, false, state("m.room.encryption", `{"algorithm":"m.megolm.v1.aes-sha2","rotation_period_msgs":100}`))
		}, false, []string{"B1", "B2", "C1"}},
		"a restart": {func(h *handle) { *h = *h.handle() }, false, []string{"B1", "B2", "C1"}},
	} {
		w := newWorld(t)
		for _, p := range []struct {
			user matrix.UserID
			id   matrix.DeviceID
		}{{bob, "B1"}, {bob, "B2"}, {carol, "C1"}} {
			w.add(p.user, p.id)
		}
		h := w.handle()
		members = []matrix.UserID{bob, carol}
		h.shareAll(members...)
		before := h.mustEncrypt("before")
		c.change(h)
		if _, err := h.encrypt("at once"); c.rotates && err == nil && !unheard[name] {
			t.Errorf("%s: at once it is encrypted", name)
		}
		h.shareAll(members...)
		after := h.mustEncrypt("after")
		if (before.session != after.session) != c.rotates {
			t.Errorf("%s: another session %v, want %v", name, !c.rotates, c.rotates)
		}
		t.Log(name)
		w.wantReaders(after, c.readers...)
	}
}

// unheard are changes that only the next list of members shows.
var unheard = map[string]bool{"a member leaves, and nobody heard of it": true}

const dave = matrix.UserID("@dave:example.org")

// members is the list of members of a test.
var members []matrix.UserID

func (h *handle) joined(user matrix.UserID) { members = append(members, user) }

func (h *handle) left(user matrix.UserID) {
	var rest []matrix.UserID
	for _, m := range members {
		if m != user {
			rest = append(rest, m)
		}
	}
	members = rest
}

// TestStaleList: a list of members that is older than what a sync said gives nobody
// the key who has left, and who comes back is a member again.
func TestStaleList(t *testing.T) {
	w := newWorld(t)
	w.add(bob, "B1")
	w.add(carol, "C1")
	h := w.handle()
	h.shareAll(bob, carol)
	sync(t, h.account, false, member(bob, "leave"))
	h.shareAll(bob, carol) // the list is of before
	w.wantReaders(h.mustEncrypt("after bob left"), "C1")
	must(t, h.rooms.MembersChanged(t.Context(), room, []rooms.MemberChange{{User: bob, Membership: rooms.Join}}, false))
	if _, err := h.encrypt("bob is back"); !errors.Is(err, rooms.ErrNotShared) {
		t.Errorf("with bob back: %v", err)
	}
	h.shareAll(bob, carol)
	w.wantReaders(h.mustEncrypt("bob is back"), "B1", "C1")
}

// TestSettings: what cannot be asked for.
func TestSettings(t *testing.T) {
	w := newWorld(t)
	h := w.handle()
	for name, c := range map[string]struct {
		settings rooms.Settings
		want     error
	}{
		"another algorithm":      {rooms.Settings{Algorithm: "m.other"}, roomkeys.ErrAlgorithm},
		"no such strategy":       {rooms.Settings{Strategy: 9}, group.ErrSettings},
		"the caller's, and none": {rooms.Settings{Strategy: group.ByCaller}, group.ErrSettings},
		"no such visibility":     {rooms.Settings{Visibility: 9}, group.ErrSettings},
	} {
		if _, err := h.rooms.Share(t.Context(), room, nil, c.settings); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if _, err := h.rooms.Share(t.Context(), "room", nil, settings); !errors.Is(err, matrix.ErrRoomID) {
		t.Errorf("no room: %v", err)
	}
	if _, err := h.rooms.Share(t.Context(), room, []matrix.UserID{"bob"}, settings); !errors.Is(err, matrix.ErrUserID) {
		t.Errorf("no user: %v", err)
	}
	sync(t, h.account, false, state("m.room.encryption", `{"algorithm":"m.other"}`))
	if _, err := h.rooms.Share(t.Context(), room, nil, settings); !errors.Is(err, roomkeys.ErrAlgorithm) {
		t.Errorf("a room that asks for another algorithm: %v", err)
	}
	if _, err := h.rooms.Encrypt(t.Context(), room, "m.room.message", []byte("{}"), rooms.Form{}); !errors.Is(err, roomkeys.ErrAlgorithm) {
		t.Errorf("encrypting there: %v", err)
	}
}
