package device_test

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/ratchet"
)

// takeInParts is take, a few devices at a time, as a store with small commits does.
func (l *list) takeInParts(a device.Answers, most int, at time.Time) map[device.Name]error {
	l.w.t.Helper()
	refused := map[device.Name]error{}
	note := func(all []device.Refusal) {
		for _, r := range all {
			refused[device.Name{User: r.User, Device: r.Device}] = r.Err
		}
	}
	for _, of := range a.Users {
		plan := of.Plan(l.of(of.User))
		note(plan.Refused)
		for part := range plan.Parts(most) {
			if len(part.Devices) > most || len(part.Forgotten) > most {
				l.w.t.Errorf("a part of %d and %d devices", len(part.Devices), len(part.Forgotten))
			}
			for _, n := range part.Forgotten {
				delete(l.devices, n)
			}
			var known []device.Device
			for _, n := range part.Devices {
				if d, has := l.devices[n]; has {
					known = append(known, d)
				}
			}
			j := a.Join(part.Answer, known, func(k ratchet.PublicKey) (device.Owner, bool) { o, ok := l.owners[k]; return o, ok }, at)
			for _, d := range j.Devices {
				l.devices[d.Name] = d
			}
			for _, o := range j.Owners {
				l.owners[o.Key] = o
			}
			note(j.Refused)
		}
	}
	return refused
}

func (l *list) of(user matrix.UserID) (all []device.Device) {
	for _, d := range l.devices {
		if d.User == user {
			all = append(all, d)
		}
	}
	return all
}

// TestPlan: what an answer changes is the same whether it is taken at once or in
// parts.
func TestPlan(t *testing.T) {
	w := newWorld(t)
	names := []device.Name{{User: alice, Device: "A"}, {User: alice, Device: "B"}, {User: alice, Device: "C"}, {User: bob, Device: "X"}, {User: bob, Device: "Y"}}
	var accounts []account.Account
	for _, n := range names {
		accounts = append(accounts, w.account(n.User, n.Device))
	}
	variants := map[device.Name][]object{}
	for i, n := range names {
		variants[n] = []object{w.keysOf(accounts[i]), w.keysOf(w.account(n.User, n.Device)), {"user_id": string(n.User)}}
		for _, from := range accounts {
			o := w.keysOf(accounts[i])
			o["keys"].(object)["curve25519:"+string(n.Device)] = from.Identity().String()
			delete(o, "signatures")
			variants[n] = append(variants[n], w.signedAs(o, accounts[i]))
		}
	}
	for seed := range uint64(100) {
		random := rand.New(rand.NewPCG(1, seed))
		whole, parts := w.list(), w.list()
		for step := range 6 {
			a := newAnswer().device(alice, "", nil).device(bob, "", nil)
			for _, n := range names {
				if random.IntN(3) > 0 {
					a = a.device(n.User, n.Device, variants[n][max(random.IntN(2*len(variants[n]))-len(variants[n]), 0)])
				}
			}
			answers := w.answerOf(a, device.Own{}, alice, bob)
			at := now.Add(time.Duration(step) * time.Hour)
			want, got := whole.take(answers, at), parts.takeInParts(answers, 1+random.IntN(3), at)
			where := fmt.Sprintf("seed %d, step %d", seed, step)
			if diff := cmp.Diff(whole.devices, parts.devices); diff != "" {
				t.Fatalf("%s: devices\n%s", where, diff)
			}
			if diff := cmp.Diff(whole.owners, parts.owners); diff != "" {
				t.Fatalf("%s: owners\n%s", where, diff)
			}
			same := func(a, b error) bool { return a.Error() == b.Error() }
			if diff := cmp.Diff(want, got, cmp.Comparer(same)); diff != "" {
				t.Fatalf("%s: refused\n%s", where, diff)
			}
		}
	}
}

// signedAs adds a device's own signature.
func (w *world) signedAs(o object, a account.Account) object {
	w.t.Helper()
	raw, err := a.SignJSON(w.text(o))
	w.must(err)
	return w.parsed(raw)
}

// TestPlanOfMany: of more devices than are kept the longest gone make room, those
// that are there never do, and the last of the new ones are refused.
func TestPlanOfMany(t *testing.T) {
	var known []device.Device
	for i := range device.MaxKept {
		d := device.Device{Claim: device.Claim{Keys: device.Keys{Name: device.Name{User: alice, Device: matrix.DeviceID(fmt.Sprintf("K%04d", i))}}}, Seen: now}
		if i < 5 {
			d.Gone = now.Add(-time.Duration(i) * time.Hour)
		}
		known = append(known, d)
	}
	answer := device.Answer{User: alice}
	for _, d := range known[5:] {
		answer.Claims = append(answer.Claims, d.Claim)
	}
	answer.Claims = append(answer.Claims, known[4].Claim) // back again
	for i := range 6 {
		answer.Claims = append(answer.Claims, device.Claim{Keys: device.Keys{Name: device.Name{User: alice, Device: matrix.DeviceID(fmt.Sprintf("N%d", i))}}})
	}
	plan := answer.Plan(known)
	var forgotten, looked []matrix.DeviceID
	for part := range plan.Parts(3) {
		for _, n := range part.Forgotten {
			forgotten = append(forgotten, n.Device)
		}
		for _, n := range part.Devices {
			looked = append(looked, n.Device)
		}
	}
	if diff := cmp.Diff([]matrix.DeviceID{"K0003", "K0002", "K0001", "K0000"}, forgotten); diff != "" {
		t.Errorf("forgotten: %s", diff)
	}
	if diff := cmp.Diff([]matrix.DeviceID{"K0004", "N0", "N1", "N2", "N3"}, looked); diff != "" {
		t.Errorf("looked at: %s", diff)
	}
	if len(plan.Refused) != 2 || plan.Refused[0].Device != "N4" || plan.Refused[0].Reason() != device.ReasonMany {
		t.Errorf("refused: %v", plan.Refused)
	}
}

// TestManyInAnswer: of any number of devices in an answer a bounded number is verified;
// what is known of the others stays.
func TestManyInAnswer(t *testing.T) {
	w := newWorld(t)
	q := newAnswer()
	for i := range 2*device.MaxKept + 3 {
		q = q.device(alice, matrix.DeviceID(fmt.Sprintf("D%05d", i)), object{})
	}
	last := w.account(alice, "LAST")
	q.device(alice, "LAST", w.keysOf(last))
	answer := w.answerOf(q, device.Own{}, alice).Users[0]
	many := 0
	for _, r := range answer.Refused {
		if r.Reason() == device.ReasonMany {
			many++
		}
	}
	if many != 4 || len(answer.Claims) != 0 || len(answer.Refused) != 2*device.MaxKept+4 {
		t.Errorf("%d devices, %d refused, %d for being too many", len(answer.Claims), len(answer.Refused), many)
	}
	known := device.Device{Claim: device.Claim{Keys: device.Keys{Name: device.Name{User: alice, Device: "LAST"}}}, Seen: now}
	for part := range answer.Plan([]device.Device{known}).Parts(10) {
		t.Errorf("changes %v", part.Devices)
	}
}
