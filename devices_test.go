package pawl_test

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	trust "github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/canonicaljson"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// TestDevicesOfNobody: of whom nothing is known the answer is empty, and no key of
// theirs can be judged.
func TestDevicesOfNobody(t *testing.T) {
	m := newDevice(t, newMemory(), "@alice:example.org")
	u, err := m.Devices(t.Context(), "@bob:example.org")
	if err != nil || u.User != "@bob:example.org" || len(u.Devices) > 0 || u.Current || u.Verified || u.Changed || !u.Identity.IsZero() {
		t.Errorf("%+v, %v", u, err)
	}
	for name, err := range map[string]error{
		"accepted": m.AcceptIdentity(t.Context(), "@bob:example.org", account.VerifyKey{}),
		"verified": m.VerifyIdentity(t.Context(), "@bob:example.org", account.VerifyKey{1}),
	} {
		if !errors.Is(err, pawl.ErrIdentity) || pawl.CodeOf(err) != "identity" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSign: what is signed is signed with the key that Identity tells, and what has
// no canonical form is not.
func TestSign(t *testing.T) {
	m := newDevice(t, newMemory(), "@alice:example.org")
	signed, err := m.Sign(t.Context(), json.RawMessage(`{"b": 1, "a": "ü", "unsigned": {"x": 1}}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := account.VerifyJSON(signed, m.id.UserID, m.id.DeviceID, m.id.Ed25519); err != nil {
		t.Errorf("%s: %v", signed, err)
	}
	for _, raw := range []string{"", "[]", "1", `{"a": 1.5}`, `{"a":1,"a":1}`} {
		if signed, err := m.Sign(t.Context(), json.RawMessage(raw)); pawl.CodeOf(err) != "json" {
			t.Errorf("%s: %s, %v", raw, signed, err)
		}
	}
}

// deviceKeys is the device_keys object of a device.
func (d *device) deviceKeys() object {
	d.t.Helper()
	u, err := d.KeysForUpload(d.ctx, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	var body struct {
		Keys object `json:"device_keys"`
	}
	if err := json.Unmarshal(u.Body, &body); err != nil {
		d.t.Fatal(err)
	}
	return body.Keys
}

// claiming is a device of another user that claims a key which is not its own.
func claiming(t *testing.T, user matrix.UserID, key ratchet.PublicKey) object {
	t.Helper()
	d := newDevice(t, newMemory(), user)
	keys := d.deviceKeys()
	keys["keys"].(object)["curve25519:DEVICE"] = key.String()
	delete(keys, "signatures")
	raw, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := d.Sign(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	var out object
	if err := json.Unmarshal(signed, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// queried lets all queries be answered with these devices, and returns for whom they
// asked.
func (d *device) queried(known map[matrix.UserID]object) (asked []matrix.UserID) {
	d.t.Helper()
	requests, err := d.OutgoingRequests(d.ctx)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, r := range requests {
		if r.Kind != pawl.KeysQuery || r.Path != "/_matrix/client/v3/keys/query" {
			continue
		}
		var body struct {
			Devices map[matrix.UserID][]string `json:"device_keys"`
		}
		if err := json.Unmarshal(r.Body, &body); err != nil {
			d.t.Fatal(err)
		}
		answer := map[matrix.UserID]object{}
		for user := range body.Devices {
			asked = append(asked, user)
			answer[user] = object{}
			if keys, has := known[user]; has {
				answer[user]["DEVICE"] = keys
			}
		}
		raw, err := json.Marshal(object{"device_keys": answer})
		if err != nil {
			d.t.Fatal(err)
		}
		if err := d.MarkSent(d.ctx, r.ID, raw); err != nil {
			d.t.Fatal(err)
		}
	}
	slices.Sort(asked)
	return slices.Compact(asked) // the own device is looked for before its first upload too
}

func (d *device) devicesOf(user matrix.UserID) pawl.UserInfo {
	d.t.Helper()
	u, err := d.Devices(d.ctx, user)
	if err != nil {
		d.t.Fatal(err)
	}
	return u
}

// TestDevicesOverRequests: users are asked for when they are tracked and when a sync
// says that they changed; a key that two claim is whose message proves it, in every
// process.
func TestDevicesOverRequests(t *testing.T) {
	alice, bob := pair(t)
	const carol = matrix.UserID("@carol:example.org")
	if _, err := alice.ReceiveSync(t.Context(), alice.nextSync(), syncOf(t, "T0", nil)); err != nil {
		t.Fatal(err) // the first one outdates everybody
	}
	if err := alice.TrackUsers(t.Context(), bob.id.UserID, carol); err != nil {
		t.Fatal(err)
	}
	known := map[matrix.UserID]object{
		alice.id.UserID: alice.deviceKeys(), bob.id.UserID: bob.deviceKeys(), carol: claiming(t, carol, bob.id.Curve25519),
	}
	if asked := alice.queried(known); !slices.Equal(asked, []matrix.UserID{alice.id.UserID, bob.id.UserID, carol}) {
		t.Errorf("asks for %v", asked)
	}
	other := alice.on(alice.kv)
	for _, user := range []matrix.UserID{bob.id.UserID, carol} {
		if u := other.devicesOf(user); !u.Current || len(u.Devices) != 1 || u.Devices[0].Usable {
			t.Errorf("in dispute: %+v", u)
		}
	}
	if own := other.devicesOf(alice.id.UserID); len(own.Devices) != 1 || own.Devices[0].Curve25519 != alice.id.Curve25519 {
		t.Errorf("own devices: %+v", own)
	}
	letter := bob.letter(alice, "m.call", object{}, pawl.WithOneTimeKey(alice.oneTimeKey()))
	got, err := other.ReceiveSync(t.Context(), other.nextSync(), syncOf(t, "T1", object{"device_lists": object{"changed": []matrix.UserID{carol}}}, letter))
	if err != nil || len(got.Events) != 1 || got.Events[0].Device != "DEVICE" {
		t.Fatalf("%+v, %v", got, err)
	}
	if u := alice.devicesOf(bob.id.UserID); len(u.Devices) != 1 || !u.Devices[0].Usable {
		t.Errorf("after the proof: %+v", u)
	}
	if u := alice.devicesOf(carol); len(u.Devices) != 0 || u.Current {
		t.Errorf("after the proof: %+v", u)
	}
	if asked := alice.queried(known); !slices.Equal(asked, []matrix.UserID{carol}) {
		t.Errorf("then asks for %v", asked)
	}
	if u := alice.devicesOf(carol); len(u.Devices) != 0 || u.RefusedCount != 1 || u.Refused[0].Reason.Err() == nil || u.Refused[0].Device != "DEVICE" {
		t.Errorf("after another answer: %+v", u)
	}
	alice.intact()
}

// TestSettledByQuery: the events of a device that was not known when its room key
// came are the device's once an answer shows it.
func TestSettledByQuery(t *testing.T) {
	alice, bob := pair(t)
	s := newRoomSender(t)
	letter := bob.letter(alice, "m.room_key", roomKeyOf(t, s), pawl.WithOneTimeKey(alice.oneTimeKey()))
	if got, err := alice.ReceiveSync(t.Context(), alice.nextSync(), syncOf(t, "T1", nil, letter)); err != nil || len(got.RoomKeys) != 1 {
		t.Fatalf("%+v, %v", got, err)
	}
	asked := alice.queried(map[matrix.UserID]object{bob.id.UserID: bob.deviceKeys()})
	if !slices.Equal(asked, []matrix.UserID{alice.id.UserID, bob.id.UserID}) {
		t.Errorf("asks for %v", asked)
	}
	e, err := alice.DecryptRoomEvent(t.Context(), s.event("$1"))
	if err != nil || e.Sender.Device.Device != "DEVICE" {
		t.Errorf("%+v, %v", e.Sender, err)
	}
	alice.intact()
}

// crossSigner is a user's cross-signing keys, as somebody made them.
type crossSigner struct {
	t                         testing.TB
	user                      matrix.UserID
	master, self, userSigning account.SigningKey
}

func newCrossSigner(t testing.TB, user matrix.UserID) crossSigner {
	t.Helper()
	c := crossSigner{t: t, user: user}
	for _, k := range []*account.SigningKey{&c.master, &c.self, &c.userSigning} {
		var err error
		if *k, err = account.GenerateSigningKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// sign adds a signature of one of the keys to an object.
func (c crossSigner) sign(o object, by account.SigningKey) object {
	c.t.Helper()
	plain := maps.Clone(o)
	delete(plain, "signatures")
	raw, err := json.Marshal(plain)
	if err != nil {
		c.t.Fatal(err)
	}
	canonical, err := canonicaljson.Canonicalize(raw)
	if err != nil {
		c.t.Fatal(err)
	}
	all := object{}
	if has, ok := o["signatures"].(object); ok {
		all = maps.Clone(has)
	}
	own := object{}
	if has, ok := all[string(c.user)].(object); ok {
		own = maps.Clone(has)
	}
	own["ed25519:"+by.Public().String()] = by.Sign(canonical).String()
	all[string(c.user)] = own
	plain["signatures"] = all
	return plain
}

func (c crossSigner) key(usage string, k account.SigningKey) object {
	public := k.Public().String()
	return object{"user_id": string(c.user), "usage": []any{usage}, "keys": object{"ed25519:" + public: public}}
}

// TestServerInventsWhoIsTrusted: where a server invents cross-signing keys for the own
// user and another one, lets the former vouch for the latter, and gives each a device
// that they sign, neither device is given a key that only verified ones may have.
func TestServerInventsWhoIsTrusted(t *testing.T) {
	alice := newDevice(t, newMemory(), "@alice:example.org")
	const bob = matrix.UserID("@bob:example.org")
	own, other := newCrossSigner(t, alice.id.UserID), newCrossSigner(t, bob)
	response := object{
		"device_keys": object{
			string(alice.id.UserID): object{"DEVICE": own.sign(alice.deviceKeys(), own.self), "EVIL": own.sign(inventedDevice(t, own.user, "EVIL"), own.self)},
			string(bob):             object{"DEVICE": other.sign(inventedDevice(t, bob, "DEVICE"), other.self)},
		},
		"master_keys":       object{string(own.user): own.key("master", own.master), string(bob): own.sign(other.key("master", other.master), own.userSigning)},
		"self_signing_keys": object{string(own.user): own.sign(own.key("self_signing", own.self), own.master), string(bob): other.sign(other.key("self_signing", other.self), other.master)},
		"user_signing_keys": object{string(own.user): own.sign(own.key("user_signing", own.userSigning), own.master)},
	}
	raw, err := json.Marshal(response)
	if err != nil {
		t.Fatal(err)
	}
	withheld := 0
	send := func(all []pawl.Request) {
		t.Helper()
		for _, r := range all {
			answer := []byte(`{}`)
			switch {
			case r.Kind == pawl.KeysQuery:
				answer = raw
			case r.Kind == pawl.KeysUpload:
				answer = []byte(`{"one_time_key_counts":{"signed_curve25519":50}}`)
			case r.Kind != pawl.SendToDevice || r.EventType != "m.room_key.withheld":
				t.Fatalf("sends %s %s %s", r.Kind, r.EventType, r.Body)
			default:
				withheld += strings.Count(string(r.Body), string(group.Unverified))
			}
			if err := alice.MarkSent(t.Context(), r.ID, answer); err != nil {
				t.Fatal(err)
			}
		}
	}
	rest := func() {
		t.Helper()
		for range 10 {
			all, err := alice.OutgoingRequests(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			send(all)
		}
	}
	rest()
	done := false
	for range 20 {
		s, err := alice.ShareRoomKey(t.Context(), testRoom, []matrix.UserID{alice.id.UserID, bob}, pawl.RoomSettings{Strategy: group.Verified})
		if err != nil {
			t.Fatal(err)
		}
		send(s.Requests)
		if done = s.Done; done {
			break
		}
	}
	rest()
	if !done || withheld != 2 {
		t.Errorf("done %v, %d devices were told that they are not verified", done, withheld)
	}
	for _, user := range []matrix.UserID{alice.id.UserID, bob} {
		u := alice.devicesOf(user)
		if u.Verified || u.Changed || u.Identity.IsZero() {
			t.Errorf("%+v", u)
		}
		for _, d := range u.Devices {
			if d.Trust != trust.CrossSigned {
				t.Errorf("device %s of %s is %s", d.Device, user, d.Trust)
			}
		}
	}
	// And with an explicit act both are.
	if err := alice.VerifyIdentity(t.Context(), own.user, own.master.Public()); err != nil {
		t.Fatal(err)
	}
	if u := alice.devicesOf(bob); !u.Verified || u.Devices[0].Trust != trust.Verified {
		t.Errorf("%+v", u)
	}
}

// inventedDevice is a device that somebody made for a user.
func inventedDevice(t testing.TB, user matrix.UserID, id matrix.DeviceID) object {
	t.Helper()
	a, err := account.New(rand.Reader, user, id, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := a.DeviceKeys()
	if err != nil {
		t.Fatal(err)
	}
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatal(err)
	}
	return o
}
