package pawl_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/matrix"
)

// vouched is what a server shows of users who have cross-signing keys: alice, whose
// phone it is, bob and carol. Dave has none.
type vouched struct {
	alice, bob, carol, dave *device
	own, bobs, carols       crossSigner
	ownSigned               bool // alice's phone is signed
	vouches                 bool // alice vouches for carol, in another client
}

func newVouched(t *testing.T) *vouched {
	alice := newDevice(t, newMemory(), "@alice:example.org")
	person := func(user matrix.UserID) *device { return newDeviceOf(t, user, "DEVICE", alice.clock) }
	return &vouched{
		alice: alice, bob: person("@bob:example.org"), carol: person("@carol:example.org"), dave: person("@dave:example.org"),
		own: newCrossSigner(t, alice.id.UserID), bobs: newCrossSigner(t, "@bob:example.org"), carols: newCrossSigner(t, "@carol:example.org"),
	}
}

func (v *vouched) others() []*device { return []*device{v.bob, v.carol, v.dave} }

// answer is the server's answer to a request.
func (v *vouched) answer(t *testing.T, r pawl.Request) []byte {
	if r.Kind != pawl.KeysQuery {
		return v.alice.answer(r, v.others())
	}
	phone := v.alice.deviceKeys()
	if v.ownSigned {
		phone = v.own.sign(phone, v.own.self)
	}
	carols := v.carols.key("master", v.carols.master)
	if v.vouches {
		carols = v.own.sign(carols, v.own.userSigning)
	}
	selfOf := func(c crossSigner) object { return c.sign(c.key("self_signing", c.self), c.master) }
	all := object{
		"device_keys": object{
			string(v.own.user): object{"DEVICE": phone}, string(v.dave.id.UserID): object{"DEVICE": v.dave.deviceKeys()},
			string(v.bobs.user):   object{"DEVICE": v.bobs.sign(v.bob.deviceKeys(), v.bobs.self)},
			string(v.carols.user): object{"DEVICE": v.carols.sign(v.carol.deviceKeys(), v.carols.self)},
		},
		"master_keys": object{
			string(v.own.user): v.own.key("master", v.own.master), string(v.carols.user): carols,
			string(v.bobs.user): v.bobs.key("master", v.bobs.master),
		},
		"self_signing_keys": object{string(v.own.user): selfOf(v.own), string(v.bobs.user): selfOf(v.bobs), string(v.carols.user): selfOf(v.carols)},
		"user_signing_keys": object{string(v.own.user): v.own.sign(v.own.key("user_signing", v.own.userSigning), v.own.master)},
	}
	var asked struct {
		Users map[string]any `json:"device_keys"`
	}
	if err := json.Unmarshal(r.Body, &asked); err != nil {
		t.Fatal(err)
	}
	for _, of := range all {
		maps.DeleteFunc(of.(object), func(user string, _ any) bool { _, is := asked.Users[user]; return !is })
	}
	raw, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// says shares the room's key by a strategy and says something. It returns who hears it:
// nobody, if Sharing says that nobody is verified.
func (v *vouched) says(t *testing.T, text string, strategy group.Strategy) string {
	t.Helper()
	var changed []matrix.UserID
	var members []matrix.UserID
	for _, d := range v.others() {
		members = append(members, d.id.UserID)
	}
	changed = append(members, v.alice.id.UserID)
	v.alice.synced(object{"device_lists": object{"changed": changed}})
	nobody := false
	for range 10 {
		s, err := v.alice.ShareRoomKey(t.Context(), testRoom, members, pawl.RoomSettings{Strategy: strategy})
		if err != nil {
			t.Fatal(err)
		}
		all, err := v.alice.OutgoingRequests(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if all = append(s.Requests, all...); s.Done && len(all) == 0 {
			nobody = s.NobodyVerified
			break
		}
		for _, r := range all {
			if err := v.alice.MarkSent(t.Context(), r.ID, v.answer(t, r)); err != nil {
				t.Fatal(err)
			}
		}
	}
	e := v.alice.mustSay(text)
	var heard []string
	for _, d := range v.others() {
		if _, err := d.DecryptRoomEvent(t.Context(), e); err == nil {
			heard = append(heard, d.name())
		} else if code := pawl.CodeOf(err); code != pawl.CodeOf(group.ErrNoKey) {
			t.Errorf("%s: %s has %v", text, d.name(), err)
		}
	}
	if nobody != (strategy == group.Verified && len(heard) == 0) {
		t.Errorf("%s: nobody is verified, says the sharing: %v; %q hear it", text, nobody, heard)
	}
	return strings.Join(heard, " ")
}

// TestStrategiesOfIdentities: by default all devices have a room's key until the own
// device is cross-signed, and from then on those that are, whatever a server leaves out
// later; verified ones are those of users whom somebody verified, here or with the own
// user-signing key, once the own user is verified. Until then Sharing tells that there
// are none.
func TestStrategiesOfIdentities(t *testing.T) {
	v := newVouched(t)
	verify := func(of crossSigner) func() {
		return func() {
			if err := v.alice.VerifyIdentity(t.Context(), of.user, of.master.Public()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, step := range []struct {
		text     string
		first    func()
		strategy group.Strategy
		heard    string
	}{
		{"by default", func() {}, 0, "bob carol dave"},
		{"once the own device is signed", func() { v.ownSigned = true }, 0, "bob carol"},
		{"to all, as asked for", func() {}, group.AllDevices, "bob carol dave"},
		{"by default again", func() {}, 0, "bob carol"},
		{"without the signature", func() { v.ownSigned = false }, 0, "bob carol"},
		{"to verified ones, with nobody verified", func() { v.ownSigned = true }, group.Verified, ""},
		{"of whom the own user vouches for nobody's keys", func() { v.vouches = true }, group.Verified, ""},
		{"and bob compared, but not oneself", verify(v.bobs), group.Verified, ""},
		{"with oneself verified", verify(v.own), group.Verified, "bob carol"},
	} {
		step.first()
		if heard := v.says(t, step.text, step.strategy); heard != step.heard {
			t.Errorf("%s: %q hear it, want %q", step.text, heard, step.heard)
		}
	}
	for _, d := range v.others()[:2] {
		u, err := v.alice.Devices(t.Context(), d.id.UserID)
		if err != nil || !u.Verified || len(u.Devices) != 1 {
			t.Errorf("%s: %+v, %v", d.name(), u, err)
		}
	}
	other := newCrossSigner(t, v.bobs.user) // a server that changes bob's keys
	v.bobs = other
	if heard := v.says(t, "after bob's keys changed", group.Verified); heard != "carol" {
		t.Errorf("after bob's keys changed %q hear it", heard)
	}
	if heard := v.says(t, "by default, after bob's keys changed", 0); slices.Contains(strings.Fields(heard), "dave") {
		t.Errorf("dave hears what is for cross-signed devices: %q", heard)
	}
	v.alice.intact()
}
