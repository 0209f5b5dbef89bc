package devices_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// ask lets users be asked for and returns the request.
func (p *process) ask(users ...matrix.UserID) outbox.Request {
	p.t.Helper()
	p.track(users...)
	p.outdate(users...)
	all := p.outgoing()
	if len(all) != 1 {
		p.t.Fatalf("%d requests", len(all))
	}
	return all[0]
}

// reasons are why devices of a user were refused in the last answer.
func (p *process) reasons(user matrix.UserID) map[matrix.DeviceID]device.Reason {
	all := map[matrix.DeviceID]device.Reason{}
	for _, r := range p.show(user).Tracking.Refused {
		all[r.Device] = r.Reason
	}
	return all
}

// TestNoAnswers: what is no answer to the query changes nothing, and the query goes
// on.
func TestNoAnswers(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	s.person(carol).device("C")
	r := p.ask(bob)
	before := w.dump()
	for name, response := range map[string]string{
		"no JSON":                 "<html>",
		"nothing":                 "",
		"null":                    "null",
		"a list":                  "[]",
		"of the wrong types":      `{"device_keys": []}`,
		"of somebody else":        string(s.answer(carol)),
		"keys of the wrong types": `{"device_keys": {"@bob:example.org": {}}, "master_keys": 5}`,
	} {
		if err := p.box.MarkSent(t.Context(), r.ID, []byte(response)); !errors.Is(err, outbox.ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(before, w.dump()); diff != "" {
			t.Errorf("%s: changes\n%s", name, diff)
		}
	}
	if err := p.box.MarkSent(t.Context(), outbox.ID{1}, s.answer(bob)); !errors.Is(err, outbox.ErrNoRequest) {
		t.Errorf("of a request that is not there: %v", err)
	}
	s.person(bob).device("B")
	w.must(p.box.MarkSent(t.Context(), r.ID, s.answer(bob, carol)))
	if p.state(bob) != devices.Current || len(p.live(bob)) != 1 || len(p.live(carol)) != 0 {
		t.Errorf("bob is %v, devices %v and of carol %v", p.state(bob), p.live(bob), p.live(carol))
	}
}

// TestBadDevices: each device of an answer that is not believable is refused with its
// reason, and the others are taken.
func TestBadDevices(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	b := s.person(bob)
	known := b.device("KNOWN")
	r := p.ask(bob)
	w.must(p.box.MarkSent(t.Context(), r.ID, s.answer(bob)))

	b.device("GOOD")
	b.device("UNSIGNED")
	b.devices["UNSIGNED"]["signatures"] = object{}
	b.devices["ELSE"] = b.devices["GOOD"]
	b.devices["OTHERS"] = s.person(carol).device2("OTHERS")
	b.devices["EMPTY"] = object{}
	b.device("KNOWN") // other keys
	b.taking("THIEF", known)
	r = p.ask(bob)
	w.must(p.box.MarkSent(t.Context(), r.ID, s.answer(bob)))
	want := map[matrix.DeviceID]device.Reason{
		"UNSIGNED": device.ReasonUnsigned, "ELSE": device.ReasonNames, "OTHERS": device.ReasonNames, "EMPTY": device.ReasonForm,
		"KNOWN": device.ReasonChanged, "THIEF": device.ReasonTaken,
	}
	if diff := cmp.Diff(want, p.reasons(bob)); diff != "" {
		t.Error(diff)
	}
	if got := slices.Sorted(maps.Keys(p.live(bob))); !slices.Equal(got, []matrix.DeviceID{"GOOD", "KNOWN"}) {
		t.Errorf("devices %v", got)
	}
	for _, d := range p.show(bob).Devices {
		if d.Device.Device == "KNOWN" && d.Curve25519 != known.Identity() {
			t.Error("the known device has other keys")
		}
	}
	if found := p.broken(); len(found) > 0 {
		t.Errorf("check finds %q", found)
	}
}

// TestOwnDevice: the own device is what the account is, whatever a server says, and
// its key is nobody else's.
func TestOwnDevice(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	a, b := s.person(alice), s.person(bob)
	a.device("OWN") // other keys under the own id
	a.device("TABLET")
	b.taking("THIEF", w.own)
	r := p.ask(alice, bob)
	w.must(p.box.MarkSent(t.Context(), r.ID, s.answer(alice, bob)))
	if diff := cmp.Diff(map[matrix.DeviceID]device.Reason{"OWN": device.ReasonChanged}, p.reasons(alice)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[matrix.DeviceID]device.Reason{"THIEF": device.ReasonTaken}, p.reasons(bob)); diff != "" {
		t.Error(diff)
	}
	a.take(w.own)
	r = p.ask(alice, bob)
	w.must(p.box.MarkSent(t.Context(), r.ID, s.answer(alice, bob)))
	if len(p.live(alice)) != 2 || len(p.reasons(alice)) > 0 || p.reasons(bob)["THIEF"] != device.ReasonTaken {
		t.Errorf("devices %v, refused %v and of bob %v", p.live(alice), p.reasons(alice), p.reasons(bob))
	}
	if found := p.broken(); len(found) > 0 {
		t.Errorf("check finds %q", found)
	}
}

// TestDispute: a key that two devices of one answer claim is neither's until an Olm
// message proves whose it is; the other one is refused from then on.
func TestDispute(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	phone := s.person(bob).device("PHONE")
	thief := s.person(carol).taking("THIEF", phone)
	r := p.ask(bob, carol)
	w.must(p.box.MarkSent(t.Context(), r.ID, s.answer(bob, carol)))
	if len(p.live(bob))+len(p.live(carol)) > 0 {
		t.Errorf("usable: %v, %v", p.live(bob), p.live(carol))
	}
	sender := func() (got devices.Sender) {
		t.Helper()
		p.do(func(tx *txn.Tx, _ account.Account) (err error) {
			got, err = devices.SenderOf(tx, p.account, phone.Identity())
			return err
		})
		return got
	}
	if got := sender(); got.Known || len(got.Claimers) != 2 {
		t.Errorf("the sender is %+v", got)
	}
	prove := func(user matrix.UserID, key account.VerifyKey, device ...matrix.DeviceID) {
		by := name(user, append(device, "")[0])
		p.do(func(tx *txn.Tx, _ account.Account) error { return devices.Prove(tx, phone.Identity(), by, key) })
	}
	prove(carol, phone.Fingerprint())
	prove(bob, thief)
	prove(dave, thief)
	prove(bob, phone.Fingerprint(), "TABLET")
	if got := sender(); got.Known {
		t.Errorf("proved by what is not the device's: %+v", got)
	}
	prove(bob, phone.Fingerprint())
	if got := sender(); !got.Known || got.Device.User != bob || len(p.live(bob)) != 1 || len(p.show(carol).Devices) != 0 {
		t.Errorf("the sender is %+v, devices %v and %v", got, p.live(bob), p.show(carol).Devices)
	}
	prove(carol, thief, "THIEF")
	r = p.ask(bob, carol)
	w.must(p.box.MarkSent(t.Context(), r.ID, s.answer(bob, carol)))
	if len(p.live(bob)) != 1 || p.reasons(carol)["THIEF"] != device.ReasonTaken {
		t.Errorf("devices %v, refused %v", p.live(bob), p.reasons(carol))
	}
	if found := p.broken(); len(found) > 0 {
		t.Errorf("check finds %q", found)
	}
}

// TestBoundKey: a key is that of the user whose message from it was decrypted, before
// any device with it was known, and whoever else claims it gets nothing.
func TestBoundKey(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	phone := s.person(bob).device("PHONE")
	s.person(carol).taking("THIEF", phone)
	p.do(func(tx *txn.Tx, _ account.Account) error {
		return records.Senders.Put(tx, records.Sender{Key: phone.Identity(), User: bob})
	})
	p.query(s, carol)
	if len(p.show(carol).Devices) != 0 || p.reasons(carol)["THIEF"] != device.ReasonTaken {
		t.Errorf("carol has %v, refused %v", p.show(carol).Devices, p.reasons(carol))
	}
	p.query(s, bob, carol)
	if len(p.live(bob)) != 1 || len(p.show(carol).Devices) != 0 {
		t.Errorf("bob has %v, carol %v", p.show(bob).Devices, p.show(carol).Devices)
	}
	// Two of the user's own devices dispute it still.
	w = newWorld(t, kv.Embedded())
	p = w.first
	both := w.server()
	phone = both.person(dave).device("PHONE")
	both.person(dave).taking("OTHER", phone)
	p.do(func(tx *txn.Tx, _ account.Account) error {
		return records.Senders.Put(tx, records.Sender{Key: phone.Identity(), User: dave})
	})
	p.query(both, dave)
	if len(p.live(dave)) != 0 || len(p.show(dave).Devices) != 2 {
		t.Errorf("dave has %v", p.show(dave).Devices)
	}
	// Whose it is cannot be read.
	w = newWorld(t, kv.Embedded())
	p, s = w.first, w.server()
	phone = s.person(bob).device("PHONE")
	s.person(bob).device("TABLET")
	p.do(func(tx *txn.Tx, _ account.Account) error {
		return records.Senders.Put(tx, records.Sender{Key: phone.Identity(), User: bob})
	})
	w.damage("/sender/")
	p.query(s, bob)
	if len(p.live(bob)) != 1 || p.reasons(bob)["PHONE"] != device.ReasonDamaged || p.state(bob) != devices.Outdated {
		t.Errorf("bob has %v, refused %v, and is %v", p.show(bob).Devices, p.reasons(bob), p.state(bob))
	}
	for range 20 {
		w.later(device.MaxBackoff)
		if n := p.answers(s); n != 1 {
			t.Fatalf("%d queries in a quarter of an hour", n)
		}
	}
	p.repair()
	w.later(device.MaxBackoff)
	if p.answers(s); len(p.live(bob)) != 2 || p.state(bob) != devices.Current {
		t.Errorf("after a repair bob has %v, and is %v", p.show(bob).Devices, p.state(bob))
	}
}

// TestGone: a device that an answer leaves out is not written to, is not forgotten,
// and comes back with the keys that it had.
func TestGone(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	b := s.person(bob)
	b.device("B")
	query := func() {
		r := p.ask(bob)
		w.must(p.box.MarkSent(t.Context(), r.ID, s.answer(bob)))
	}
	query()
	kept := b.devices["B"]
	delete(b.devices, "B")
	query()
	if all := p.show(bob).Devices; len(all) != 1 || all[0].Usable() || !all[0].Gone.Equal(w.clock.now()) {
		t.Errorf("gone: %+v", all)
	}
	b.device("B")
	query()
	if len(p.live(bob)) != 0 || p.reasons(bob)["B"] != device.ReasonChanged {
		t.Errorf("with other keys: %v, refused %v", p.live(bob), p.reasons(bob))
	}
	b.devices["B"] = kept
	query()
	if len(p.live(bob)) != 1 {
		t.Errorf("back: %v", p.show(bob).Devices)
	}
}

// TestManyDevices: of a user that a server gives any number of devices a bounded
// number is kept, those that are gone among them, also where a commit takes little.
func TestManyDevices(t *testing.T) {
	w := newWorld(t, kv.Floor())
	p, s := w.first, w.server()
	b := s.person(bob)
	for i := range 300 {
		b.device(matrix.DeviceID(fmt.Sprintf("A%03d", i)))
	}
	query := func() {
		r := p.ask(bob)
		w.must(p.box.MarkSent(t.Context(), r.ID, s.answer(bob)))
		if kept := len(p.show(bob).Devices); kept > device.MaxKept || p.state(bob) != devices.Current {
			t.Errorf("%d devices are kept, and bob is %v", kept, p.state(bob))
		}
	}
	query()
	if live := len(p.live(bob)); live != 300 {
		t.Errorf("%d devices", live)
	}
	clear(b.devices)
	query()
	w.later(time.Hour)
	for i := range device.MaxKept {
		b.device(matrix.DeviceID(fmt.Sprintf("B%04d", i)))
	}
	query()
	if live := len(p.live(bob)); live != device.MaxKept {
		t.Errorf("after others went %d devices", live)
	}
	b.device("C")
	query()
	if p.reasons(bob)["C"] != device.ReasonMany {
		t.Errorf("one more: refused %v", p.reasons(bob))
	}
	if found := p.broken(); len(found) > 0 {
		t.Errorf("check finds %q", found)
	}
}

// TestLargeAnswer: an answer of 10 MB with 10,000 devices that are none leaves a
// bounded report.
func TestLargeAnswer(t *testing.T) {
	w := newWorld(t, kv.Embedded())
	p, s := w.first, w.server()
	b := s.person(bob)
	b.device("0")
	filler := strings.Repeat("x", 1000)
	for i := range 10_000 {
		b.devices[matrix.DeviceID(fmt.Sprintf("%d%s", i, filler))] = object{"user_id": string(bob)}
	}
	r := p.ask(bob)
	before := w.size()
	response := s.answer(bob)
	if len(response) < 10_000_000 {
		t.Fatalf("%d bytes", len(response))
	}
	w.must(p.box.MarkSent(t.Context(), r.ID, response))
	shown := p.show(bob).Tracking
	if shown.RefusedCount != 10_000 || len(shown.Refused) != device.MaxRejected || len(p.live(bob)) != 1 {
		t.Errorf("%d refused, %d of them kept; devices %v", shown.RefusedCount, len(shown.Refused), p.live(bob))
	}
	if grown := w.size() - before; grown > 8<<10 {
		t.Errorf("the store has grown by %d bytes", grown)
	}
}

func name(user matrix.UserID, id matrix.DeviceID) device.Name {
	return device.Name{User: user, Device: id}
}

// taking gives the person a device with the Curve25519 key of another, signed by
// its own Ed25519 key, which is returned.
func (p *person) taking(id matrix.DeviceID, from account.Account) account.VerifyKey {
	p.w.t.Helper()
	a := p.device(id)
	o := p.devices[id]
	keys := o["keys"].(object)
	keys["curve25519:"+string(id)] = from.Identity().String()
	delete(o, "signatures")
	p.devices[id] = p.w.signAs(o, p.user, string(id), a.Sign)
	return a.Fingerprint()
}

// device2 is a device of the person, that the person does not have.
func (p *person) device2(id matrix.DeviceID) object {
	p.device(id)
	o := p.devices[id]
	delete(p.devices, id)
	return o
}

// dump is all that the store has.
func (w *world) dump() map[string]string {
	w.t.Helper()
	all := map[string]string{}
	snap := w.engine.Snapshot()
	defer snap.Close()
	for e, err := range snap.Scan(w.context(), "") {
		w.must(err)
		all[e.Key] = string(e.Value)
	}
	return all
}

func (w *world) size() (n int) {
	for k, v := range w.dump() {
		n += len(k) + len(v)
	}
	return n
}

// damage damages the first record of a kind, and returns its key.
func (w *world) damage(kind string) string {
	w.t.Helper()
	all := w.dump()
	for _, key := range slices.Sorted(maps.Keys(all)) {
		if strings.Contains(key, kind) {
			_, err := w.engine.Commit(w.context(), &kv.Batch{ID: kv.NewCommitID(0), Writes: []kv.Write{{Key: key, Value: []byte("damaged")}}, Sync: true})
			w.must(err)
			return key
		}
	}
	w.t.Fatalf("no record of %s", kind)
	return ""
}
