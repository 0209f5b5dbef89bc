package receive

import (
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// as is an event as somebody else sends it.
func as(user matrix.UserID, event map[string]any) map[string]any {
	e := maps.Clone(event)
	e["sender"] = user
	return e
}

// TestSenderKeyIsOneUsers: who copies an event of another's and sends it as theirs
// gets nothing by it, and takes nothing: neither before the key is known to be the
// other's nor after.
func TestSenderKeyIsOneUsers(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	first := bob.roomKey(alice, "one")
	out := alice.sync("T1", as("@mallory:example.org", first))
	if err := out.why(t, 0); !errors.Is(err, ErrPayload) {
		t.Errorf("%v, want ErrPayload", err)
	}
	if out := alice.sync("T2", first); len(out.Refused) > 0 || alice.effect("m.room_key one") != 1 {
		t.Fatalf("the event itself: %+v", out)
	}
	second := bob.roomKey(alice, "two")
	other := alice.on(alice.kv)
	if out := other.sync("T3", as("@mallory:example.org", second), as("@mallory:example.org", first)); !errors.Is(out.why(t, 0), ErrSenderKey) || !errors.Is(out.why(t, 1), ErrSenderKey) {
		t.Errorf("%+v", out.Refused)
	}
	if out := alice.sync("T4", second); len(out.Refused) > 0 || alice.effect("m.room_key two") != 1 {
		t.Errorf("the event itself: %+v", out)
	}
	alice.intact()
}

// TestSenderKeyOfTheEventBefore: whose a key is that nobody knew, the first event of a
// sync says for the second.
func TestSenderKeyOfTheEventBefore(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	first, second := bob.roomKey(alice, "one"), bob.roomKey(alice, "two")
	out := alice.sync("T1", first, as("@mallory:example.org", second))
	if len(out.Refused) != 1 || !errors.Is(out.why(t, 1), ErrSenderKey) {
		t.Errorf("%+v, want ErrSenderKey of the second", out.Refused)
	}
	if out := alice.sync("T2", second); len(out.Refused) > 0 || alice.effect("m.room_key two") != 1 {
		t.Errorf("the event itself: %+v", out)
	}
	alice.intact()
}

// TestKnownDevice: a device that is known by an answer has its keys, whatever an
// event says.
func TestKnownDevice(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	mallory := newPeer(t, "@bob:example.org", "LAPTOP") // the server gives Bob's name to another
	name := device.Name{User: "@bob:example.org", Device: "LAPTOP"}
	keys := device.Keys{Name: name, Curve25519: bob.value.Identity(), Ed25519: bob.value.Fingerprint()}
	alice.known[name] = device.Device{Claim: device.Claim{Keys: keys}}
	alice.owners[keys.Curve25519] = device.Owner{Key: keys.Curve25519, Claimers: []device.Name{name}}
	out := alice.sync("T1", bob.event(alice, "m.custom", map[string]any{}))
	if len(out.Events) != 1 || out.Events[0].Device != "LAPTOP" {
		t.Fatalf("%+v", out)
	}
	said := bob.said(alice, "m.custom", map[string]any{})
	said["keys"] = map[string]any{"ed25519": mallory.value.Fingerprint().String()}
	delete(said, "sender_device_keys")
	if out := alice.sync("T2", bob.sends(alice, said)); !errors.Is(out.why(t, 0), ErrPayload) {
		t.Errorf("%+v", out)
	}
	// Answers leave the device out by now: it keeps its key, and is not trusted.
	gone := alice.known[name]
	gone.Gone = time.Now()
	alice.known[name] = gone
	out = alice.sync("T2a", bob.event(alice, "m.custom", map[string]any{}))
	if len(out.Events) != 1 || out.Events[0].Device != "" {
		t.Errorf("gone: %+v", out)
	}
	if out := alice.sync("T2b", bob.sends(alice, said)); !errors.Is(out.why(t, 0), ErrPayload) {
		t.Errorf("gone, with another key: %+v", out)
	}
	// Another device's event in Bob's name is of a device that is not known.
	out = alice.sync("T3", mallory.event(alice, "m.custom", map[string]any{}))
	if len(out.Events) != 1 || out.Events[0].Device != "" {
		t.Errorf("%+v", out)
	}
}

// TestDispute: of two users who claim a key the one is believed whose device has it,
// and neither is a third.
func TestDispute(t *testing.T) {
	alice, bob := newPhone(t, memkv.New()), newPeer(t, "@bob:example.org", "LAPTOP")
	key := bob.value.Identity()
	owner := device.Owner{Key: key, Open: true}
	for _, user := range []matrix.UserID{"@mallory:example.org", "@bob:example.org"} {
		name := device.Name{User: user, Device: "LAPTOP"}
		d := device.Device{Claim: device.Claim{Keys: device.Keys{Name: name, Curve25519: key, Ed25519: alice.id.Ed25519}}, Disputed: true}
		if user == "@bob:example.org" {
			d.Ed25519 = bob.value.Fingerprint()
		}
		alice.known[name] = d
		owner.Claimers = append(owner.Claimers, name)
	}
	alice.owners[key] = owner
	event := bob.event(alice, "m.custom", map[string]any{})
	out := alice.sync("T1", as("@carol:example.org", event), as("@mallory:example.org", event), event)
	if !errors.Is(out.why(t, 0), ErrSenderKey) || !errors.Is(out.why(t, 1), ErrPayload) || len(out.Events) != 1 || out.Events[0].Device != "LAPTOP" {
		t.Errorf("%+v", out)
	}
	if want := []device.Name{{User: "@bob:example.org", Device: "LAPTOP"}}; !slices.Equal(alice.proved, want) {
		t.Errorf("proved %v", alice.proved)
	}
}
