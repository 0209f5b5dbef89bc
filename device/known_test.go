package device_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// list is what a store keeps.
type list struct {
	w       *world
	devices map[device.Name]device.Device
	owners  map[ratchet.PublicKey]device.Owner
}

func (w *world) list() *list {
	return &list{w, map[device.Name]device.Device{}, map[ratchet.PublicKey]device.Owner{}}
}

// take joins an answer and returns what was refused, by device.
func (l *list) take(a device.Answers, at time.Time) map[device.Name]error {
	l.w.t.Helper()
	refused := map[device.Name]error{}
	for _, user := range a.Users {
		var known []device.Device
		for _, d := range l.devices {
			if d.User == user.User {
				known = append(known, d)
			}
		}
		j := a.Join(user, known, func(k ratchet.PublicKey) (device.Owner, bool) { o, ok := l.owners[k]; return o, ok }, at)
		for _, d := range j.Devices {
			raw, err := d.Encode()
			l.w.must(err)
			l.devices[d.Name], err = device.DecodeDevice(raw)
			l.w.must(err)
		}
		for _, o := range j.Owners {
			raw, err := o.Encode()
			l.w.must(err)
			l.owners[o.Key], err = device.DecodeOwner(raw)
			l.w.must(err)
		}
		for _, r := range j.Refused {
			refused[device.Name{User: r.User, Device: r.Device}] = r.Err
		}
	}
	return refused
}

func (l *list) usable() []device.Name {
	var all []device.Name
	for n, d := range l.devices {
		if d.Usable() {
			all = append(all, n)
		}
	}
	slices.SortFunc(all, func(a, b device.Name) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return all
}

// claiming is a device that says that another's Curve25519 key is its own.
func (w *world) claiming(user matrix.UserID, id matrix.DeviceID, curve ratchet.PublicKey) object {
	a := w.account(user, id)
	o := w.keysOf(a)
	o["keys"].(object)["curve25519:"+string(id)] = curve.String()
	return w.sign(o, user, string(id), a.SigningKey())
}

// TestKnownDevicesKeepTheirKeys: another key of either kind is refused, and what was
// known stays; a device that is left out is gone, and comes back.
func TestKnownDevicesKeepTheirKeys(t *testing.T) {
	w := newWorld(t)
	l := w.list()
	phone := device.Name{User: alice, Device: "PHONE"}
	first := w.account(alice, "PHONE")
	q := newAnswer().device(alice, "PHONE", w.keysOf(first))
	if refused := l.take(w.answerOf(q, device.Own{}, alice), now); len(refused) > 0 || len(l.usable()) != 1 {
		t.Fatalf("the first answer: %v", refused)
	}
	kept := l.devices[phone]
	moved := w.keysOf(first)
	moved["keys"].(object)["curve25519:PHONE"] = w.account(bob, "B").Identity().String()
	for what, keys := range map[string]object{
		"both keys": w.keysOf(w.account(alice, "PHONE")), "the signing key": w.claiming(alice, "PHONE", first.Identity()),
		"the identity key": w.sign(moved, alice, "PHONE", first.SigningKey()),
	} {
		q.device(alice, "PHONE", keys)
		if refused := l.take(w.answerOf(q, device.Own{}, alice), now); !errors.Is(refused[phone], device.ErrChanged) {
			t.Errorf("%s: %v, want %v", what, refused, device.ErrChanged)
		}
		if diff := cmp.Diff(kept, l.devices[phone]); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	// What is not believable does not make the device gone.
	q.device(alice, "PHONE", object{"user_id": "nonsense"})
	l.take(w.answerOf(q, device.Own{}, alice), now)
	if len(l.usable()) != 1 {
		t.Error("nonsense under its name took the device away")
	}
	delete(q.Devices[alice], "PHONE")
	l.take(w.answerOf(q, device.Own{}, alice), now.Add(time.Hour))
	if d := l.devices[phone]; d.Usable() || !d.Gone.Equal(now.Add(time.Hour)) || d.Curve25519 != first.Identity() {
		t.Errorf("left out, it is %+v", d)
	}
	q.device(alice, "PHONE", w.keysOf(first))
	l.take(w.answerOf(q, device.Own{}, alice), now.Add(2*time.Hour))
	if d := l.devices[phone]; !d.Usable() || !d.Seen.Equal(now) {
		t.Errorf("back again, it is %+v", d)
	}
}

// TestKnownKeysKeepTheirDevices: whoever claims the Curve25519 key of a device that
// is known gets nothing, in the same answer as in a later one, and takes nothing.
func TestKnownKeysKeepTheirDevices(t *testing.T) {
	w := newWorld(t)
	l := w.list()
	victim := w.account(alice, "PHONE")
	q := newAnswer().device(alice, "PHONE", w.keysOf(victim))
	l.take(w.answerOf(q, device.Own{}, alice), now)
	thief := device.Name{User: bob, Device: "THIEF"}
	q.device(bob, "THIEF", w.claiming(bob, "THIEF", victim.Identity()))
	for _, asked := range [][]matrix.UserID{{bob}, {alice, bob}} {
		if refused := l.take(w.answerOf(q, device.Own{}, asked...), now); !errors.Is(refused[thief], device.ErrTaken) {
			t.Errorf("asked for %v: %v, want %v", asked, refused, device.ErrTaken)
		}
	}
	if diff := cmp.Diff([]device.Name{{User: alice, Device: "PHONE"}}, l.usable()); diff != "" {
		t.Error(diff)
	}
}

// TestDispute: of two that are new in one answer neither is used until one has
// proved the key, in whichever order they come; then the other is gone for good.
func TestDispute(t *testing.T) {
	for _, honest := range []matrix.UserID{alice, bob} { // users are joined in order
		w := newWorld(t)
		l := w.list()
		other := bob
		if honest == bob {
			other = alice
		}
		a := w.account(honest, "PHONE")
		q := newAnswer().device(honest, "PHONE", w.keysOf(a)).device(other, "THIEF", w.claiming(other, "THIEF", a.Identity()))
		if refused := l.take(w.answerOf(q, device.Own{}, alice, bob), now); len(refused) > 0 || len(l.usable()) > 0 {
			t.Errorf("%s: refused %v, usable %v, want nothing of both", honest, refused, l.usable())
		}
		phone := device.Name{User: honest, Device: "PHONE"}
		proved, lost, ended := l.owners[a.Identity()].Prove(phone)
		if diff := cmp.Diff([]device.Name{{User: other, Device: "THIEF"}}, lost); !ended || diff != "" {
			t.Errorf("%s: the proof ended it: %v, %s", honest, ended, diff)
		}
		if _, _, again := proved.Prove(phone); again {
			t.Errorf("%s: it was proved twice", honest)
		}
		if _, _, ended := l.owners[a.Identity()].Prove(device.Name{User: honest, Device: "NOBODY"}); ended {
			t.Errorf("%s: somebody else proved it", honest)
		}
		l.owners[a.Identity()] = proved
		delete(l.devices, lost[0])
		d := l.devices[phone]
		d.Disputed = false
		l.devices[phone] = d
		if refused := l.take(w.answerOf(q, device.Own{}, alice, bob), now); !errors.Is(refused[lost[0]], device.ErrTaken) || len(l.usable()) != 1 {
			t.Errorf("%s: afterwards refused %v, usable %v", honest, refused, l.usable())
		}
	}
}

// TestDisputeStaysAsItIs: who comes in a later answer joins no dispute, and a
// dispute has its end.
func TestDisputeStaysAsItIs(t *testing.T) {
	w := newWorld(t)
	l := w.list()
	a := w.account(alice, "PHONE")
	q := newAnswer().device(alice, "PHONE", w.keysOf(a)).device(bob, "THIEF", w.claiming(bob, "THIEF", a.Identity()))
	l.take(w.answerOf(q, device.Own{}, alice, bob), now)
	const carol = matrix.UserID("@carol:example.org")
	late := newAnswer().device(carol, "LATE", w.claiming(carol, "LATE", a.Identity()))
	if refused := l.take(w.answerOf(late, device.Own{}, carol), now); !errors.Is(refused[device.Name{User: carol, Device: "LATE"}], device.ErrTaken) {
		t.Errorf("who came later: %v", refused)
	}
	crowd := newAnswer()
	for i := range 20 {
		id := matrix.DeviceID(fmt.Sprint("D", i))
		crowd.device(carol, id, w.claiming(carol, id, ratchet.PublicKey{9}))
	}
	if refused := l.take(w.answerOf(crowd, device.Own{}, carol), now); len(refused) != 4 || len(l.owners[ratchet.PublicKey{9}].Claimers) != 16 {
		t.Errorf("of 20 claimers %d are refused, and %d are in the dispute", len(refused), len(l.owners[ratchet.PublicKey{9}].Claimers))
	}
}

// TestAnyAnswers: whatever answers say, two usable devices never have one key, a
// usable device never changes its keys, and who was known first keeps the key.
func TestAnyAnswers(t *testing.T) {
	w := newWorld(t)
	random := rand.New(rand.NewPCG(1, 2))
	users := []matrix.UserID{alice, bob, "@carol:example.org"}
	ids := []matrix.DeviceID{"A", "B"}
	var curves []ratchet.PublicKey
	for range 3 {
		curves = append(curves, w.account(alice, "X").Identity())
	}
	claims := map[string]object{}
	claim := func(u matrix.UserID, id matrix.DeviceID) object {
		n, curve := random.IntN(2), curves[random.IntN(len(curves))]
		name := fmt.Sprint(u, id, n, curve)
		if claims[name] == nil {
			claims[name] = w.claiming(u, id, curve)
		}
		return claims[name]
	}
	for range 200 {
		l := w.list()
		owner := map[ratchet.PublicKey]device.Name{}
		keys := map[device.Name]device.Keys{}
		for range 8 {
			q := newAnswer()
			var asked []matrix.UserID
			for _, u := range users {
				if random.IntN(2) == 0 {
					continue
				}
				asked = append(asked, u)
				q.device(u, "", nil)
				for _, id := range ids {
					if random.IntN(3) > 0 {
						q.device(u, id, claim(u, id))
					}
				}
			}
			l.take(w.answerOf(q, device.Own{}, asked...), now)
			held := map[ratchet.PublicKey]device.Name{}
			for _, n := range l.usable() {
				d := l.devices[n]
				if by, taken := held[d.Curve25519]; taken {
					t.Fatalf("%v and %v have one key", by, n)
				}
				held[d.Curve25519] = n
				if first, known := owner[d.Curve25519]; known && first != n {
					t.Fatalf("the key of %v is now %v's", first, n)
				}
				owner[d.Curve25519] = n
				if before, known := keys[n]; known && (before.Ed25519 != d.Ed25519 || before.Curve25519 != d.Curve25519) {
					t.Fatalf("%v has other keys than before", n)
				}
				keys[n] = d.Keys
			}
		}
	}
}

// TestAnswersOfOthers: who was not asked for is passed over, who is missing stays
// outdated, and what is no answer changes nothing.
func TestAnswersOfOthers(t *testing.T) {
	w := newWorld(t)
	q := newAnswer().device(alice, "PHONE", w.keysOf(w.account(alice, "PHONE")))
	got := w.answerOf(q, device.Own{}, bob)
	if len(got.Users) > 0 || !slices.Equal(got.Silent, []matrix.UserID{bob}) {
		t.Errorf("asked for bob: %+v", got)
	}
	for _, raw := range []string{"", "[]", "{", `{"device_keys":7}`, `{"master_keys":[]}`} {
		if _, err := device.ParseAnswer([]byte(raw), []matrix.UserID{alice}, device.Own{}); !errors.Is(err, device.ErrForm) {
			t.Errorf("%q: %v, want %v", raw, err, device.ErrForm)
		}
	}
	for _, raw := range []string{`{}`, `{"device_keys":{"@alice:example.org":7}}`, `{"device_keys":{"@alice:example.org":null}}`} {
		if got, err := device.ParseAnswer([]byte(raw), []matrix.UserID{alice, alice}, device.Own{}); err != nil || len(got.Users) > 0 || len(got.Silent) != 1 {
			t.Errorf("%q: %+v, %v, want alice silent", raw, got, err)
		}
	}
}
