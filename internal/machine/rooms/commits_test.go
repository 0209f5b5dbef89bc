package rooms_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// met is a handle that knows so many users, each with a device that there is a session
// with.
func met(t *testing.T, n int) (h *handle, users []matrix.UserID) {
	t.Helper()
	w := newWorld(t)
	h = w.handle()
	for i := range n {
		user := matrix.UserID(fmt.Sprintf("@user%02d:b", i))
		keys := device.Keys{Name: device.Name{User: user, Device: "D"}, Olm: true, Megolm: true}
		keys.Curve25519, keys.Ed25519 = somePublic(t), w.own.Fingerprint()
		w.know(h, user, []device.Device{{Claim: device.Claim{Keys: keys}, Seen: w.now}})
		users = append(users, user)
	}
	return h, users
}

// writes reports whether a batch writes records of a kind.
func writes(b *kv.Batch, kind string) bool {
	return slices.ContainsFunc(b.Writes, func(one kv.Write) bool {
		_, k := txn.KindOf(one.Key)
		return k == kind
	})
}

// TestShareInTwoCommits: where all members have sessions one commit begins the room's
// session and follows them, and another gives them the key and notes that all have it.
// An engine that takes less gets the first in two.
func TestShareInTwoCommits(t *testing.T) {
	for what, c := range map[string]struct {
		narrow bool
		want   string
	}{
		"an engine that takes much": {false, "session+members gives"},
		"one that takes less":       {true, "session members gives"},
	} {
		h, users := met(t, 20)
		var made []string
		counted := h.handleOn(faulty.Wrap(h.store, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
			if call.Op != faulty.Commit || len(call.Batch.Writes) == 0 {
				return nil
			}
			b := call.Batch
			one := "another"
			switch session, members := writes(b, records.Outbound.Kind), writes(b, records.Members.Kind); {
			case session && members && c.narrow:
				return kv.ErrTooLarge
			case session && members:
				one = "session+members"
			case session:
				one = "session"
			case members:
				one = "members"
			case writes(b, records.Shares.Kind):
				one = "gives"
			}
			made = append(made, one)
			return nil
		}}))
		counted.share(users...)
		if got := strings.Join(made, " "); got != c.want || len(h.told()) != len(users) {
			t.Errorf("%s: %d devices were told in the commits %q, want %d in %q", what, len(h.told()), got, len(users), c.want)
		}
		h.sendAll()
		if s := h.share(users...); !s.Done {
			t.Errorf("%s: after all: %+v", what, s)
		}
	}
}

// TestKilledAfterGiving: a program that ends between giving the key to those with a
// session and what else is to be done leaves a room that is not shared with everybody.
func TestKilledAfterGiving(t *testing.T) {
	for what, c := range map[string]struct {
		members []matrix.UserID
		refuses matrix.DeviceID
		strange bool // a device is known, and there is no session with it
	}{
		"the devices of one are not known": {members: []matrix.UserID{bob, carol}},
		"one is not to have the key":       {members: []matrix.UserID{bob}, refuses: "B2"},
		"there is no session with one":     {members: []matrix.UserID{bob}, strange: true},
	} {
		w := newWorld(t)
		w.add(bob, "B1")
		w.add(bob, "B2")
		h := w.handle()
		h.shareAll(bob)
		must(t, h.rooms.Rotate(t.Context(), room))
		if c.strange {
			keys := device.Keys{Name: device.Name{User: bob, Device: "B3"}, Olm: true, Megolm: true}
			keys.Curve25519, keys.Ed25519 = somePublic(t), w.own.Fingerprint()
			do(t, h.account, func(tx *txn.Tx) error {
				return records.Devices.Put(tx, device.Device{Claim: device.Claim{Keys: keys}, Seen: w.now})
			})
		}
		given := false
		killed := h.handleOn(faulty.Wrap(h.store, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
			switch {
			case call.Op != faulty.Commit || len(call.Batch.Writes) == 0:
				return nil
			case given:
				return kv.ErrClosed
			}
			given = writes(call.Batch, records.Shares.Kind)
			return nil
		}}))
		of := rooms.Settings{Allow: func(d rooms.Candidate) bool { return d.Device.Device != c.refuses }}
		_, err := killed.rooms.Share(t.Context(), room, c.members, of)
		if !errors.Is(err, kv.ErrClosed) || !given {
			t.Errorf("%s: sharing until it is killed: %v, given %v", what, err, given)
		}
		if r, _ := readRoom(t, h.account); r.Shared != 0 || len(r.Waiting) != 1 {
			t.Errorf("%s: the room is shared as of change %d, with %d requests; want of none, with 1", what, r.Shared, len(r.Waiting))
		}
	}
}
