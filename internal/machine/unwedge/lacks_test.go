package unwedge_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/unpadded"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// verifies makes another device of the own user a verified one.
func (h *home) verifies(o *home) {
	h.Helper()
	h.do(func(tx *txn.Tx) error { return devices.Track(tx, o.name.User) })
	h.send()
	self := account.VerifyKey{9}
	h.do(func(tx *txn.Tx) error {
		d := h.knows(tx, o)
		d.SignedBy = self
		k := device.Known{Identity: device.Identity{User: o.name.User, Master: account.VerifyKey{8}, SelfSigning: self}, Pinned: account.VerifyKey{8}}
		return errors.Join(records.Devices.Put(tx, d), records.Identities.Put(tx, k.Verify()))
	})
}

// lacking is an event of a room whose key nobody has.
func lacking(t *testing.T, sender matrix.UserID) (roomkeys.Event, group.SessionID) {
	t.Helper()
	s, err := group.NewSender(rand.Reader)
	must(t, err)
	_, text, err := s.Encrypt([]byte("{}"))
	must(t, err)
	return roomkeys.Event{Room: "!room:example.org", ID: "$event", Sender: sender, Content: encode(t, map[string]any{
		"algorithm": account.Megolm, "session_id": s.ID().String(), "ciphertext": unpadded.Encode(text),
	})}, s.ID()
}

// TestLacks: own verified devices are asked for the keys that events of a user need who
// was wedged lately, not more than once an hour, and for no others.
func TestLacks(t *testing.T) {
	w := newWorld(t)
	phone, tablet, laptop := w.home(alice, "PHONE"), w.home(alice, "TABLET"), w.home(bob, "LAPTOP")
	w.meet(phone, laptop)
	read := func(e roomkeys.Event) []string {
		t.Helper()
		if _, err := phone.keys.Decrypt(t.Context(), e); !errors.Is(err, group.ErrNoKey) {
			t.Errorf("%v", err)
		}
		return phone.send()
	}
	e, id := lacking(t, bob)
	if kinds := read(e); len(kinds) != 0 {
		t.Errorf("of a device that was never wedged: %q", kinds)
	}
	w.later(2 * time.Hour)
	phone.take(laptop.broken(phone))
	phone.send()
	if kinds := read(e); len(kinds) != 0 {
		t.Errorf("with nobody to ask: %q", kinds)
	}
	phone.verifies(tablet)
	w.settle()
	laptop.say(phone, "hello") // what was lost is lost all the same
	phone.sync()
	for i, want := range [][]string{{"m.room_key_request"}, nil} {
		if kinds := read(e); !slices.Equal(kinds, want) {
			t.Errorf("time %d: %q", i, kinds)
		}
	}
	asked := w.queues[tablet.name]
	var request struct {
		Body struct {
			Session string `json:"session_id"`
		}
	}
	must(t, json.Unmarshal(asked[len(asked)-1].Content, &request))
	if request.Body.Session != id.String() {
		t.Errorf("it asks for %+v", request)
	}
	w.later(time.Hour)
	if kinds := read(e); !slices.Equal(kinds, []string{"m.room_key_request"}) {
		t.Errorf("an hour later: %q", kinds)
	}
	other, _ := lacking(t, "@carol:example.org")
	if kinds := read(other); len(kinds) != 0 {
		t.Errorf("of somebody else: %q", kinds)
	}
	w.later(records.WedgeLife)
	late, _ := lacking(t, bob)
	if kinds := read(late); slices.Contains(kinds, "m.room_key_request") {
		t.Errorf("two weeks later: %q", kinds)
	}
}

// TestDamaged: where it cannot be read what was done about a peer nothing is done, so
// that the limits hold; all else goes on, and it begins anew once that was repaired.
func TestDamaged(t *testing.T) {
	w := newWorld(t)
	phone, laptop, tablet := w.home(alice, "PHONE"), w.home(bob, "LAPTOP"), w.home("@carol:example.org", "TABLET")
	w.meet(phone, laptop)
	w.meet(phone, tablet)
	w.later(2 * time.Hour)
	phone.take(laptop.broken(phone))
	phone.damage(records.Wedges.Kind)
	phone.take(laptop.broken(phone), tablet.broken(phone), laptop.made(phone, "hello"))
	if kinds := phone.send(); kinds[0] != "claim" || len(kinds) < 2 || w.claimed[laptop.name] != 1 || !slices.Contains(phone.read, "hello") {
		t.Errorf("it sends %q, and %d keys of the device were claimed", kinds, w.claimed[laptop.name])
	}
	phone.repair()
	phone.check()
	phone.take(laptop.broken(phone))
	phone.send()
	if got := phone.wedge(laptop); got.Tries != 1 {
		t.Errorf("after the repair: %+v", got)
	}
	e := tablet.made(phone, "hello")
	unknown := w.home("@dave:example.org", "WATCH")
	phone.take(unknown.madeOn(phone, "hello", unknown.key()))
	phone.damage(records.Unheards.Kind)
	phone.take(e, unknown.made(phone, "hello"))
	phone.send()
	if !phone.wedge(unknown).IsWedged() {
		t.Error("a record that cannot be read keeps what comes later from counting")
	}
}
