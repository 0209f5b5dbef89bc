package rooms_test

import (
	"encoding/json"
	"errors"
	"fmt"
	gosync "sync"
	"testing"
	"time"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// TestShare: query, claim and to-device, one after the other; then events are read,
// also by ourselves, and nothing is encrypted before.
func TestShare(t *testing.T) {
	for name, limits := range map[string][]memkv.Option{"large commits": nil, "small ones": {atFloor()}} {
		w := newWorld(t, limits...)
		w.add(bob, "B1")
		w.add(bob, "B2")
		w.add(alice, "LAPTOP")
		h := w.handle()
		if _, err := h.encrypt("too early"); !errors.Is(err, rooms.ErrNotShared) {
			t.Errorf("%s: before anything: %v", name, err)
		}
		for _, kind := range []outbox.Kind{outbox.Query, outbox.Claim, outbox.ToDevice} {
			s := h.share(alice, bob)
			if s.Done || len(s.Requests) == 0 {
				t.Fatalf("%s: before %s: %+v", name, kind, s)
			}
			var not *rooms.NotSharedError
			if _, err := h.encrypt("too early"); !errors.As(err, &not) || fmt.Sprint(not.Requests) != fmt.Sprint(s.Requests) {
				t.Errorf("%s: before %s: %v, want the requests %v", name, kind, err, s.Requests)
			}
			all, err := h.box.Outgoing(t.Context())
			must(t, err)
			for _, r := range all {
				if r.Kind != kind {
					t.Errorf("%s: %s, want %s", name, r.Kind, kind)
				}
				h.answer(r)
			}
		}
		if s := h.share(alice, bob); !s.Done || len(s.Requests) > 0 {
			t.Fatalf("%s: after all: %+v", name, s)
		}
		e := h.mustEncrypt("hello")
		w.wantReaders(e, "LAPTOP", "B1", "B2")
		do(t, h.account, func(tx *txn.Tx) error {
			in, ok, err := records.GroupIns.Get(tx, e.session)
			if err != nil || !ok {
				t.Errorf("%s: our own copy: %v, %v", name, ok, err)
				return err
			}
			opened, err := in.Decrypt(e.message)
			if err != nil || opened.Source.Sender != w.own.Identity() || in.Room() != room {
				t.Errorf("%s: we read %+v, %v", name, opened.Source, err)
			}
			return nil
		})
		if n := h.sendAll(); n > 0 {
			t.Errorf("%s: %d requests are left", name, n)
		}
		for _, p := range w.everybody() {
			if p.times[e.session] != 1 {
				t.Errorf("%s: %s was given the key %d times", name, p.name, p.times[e.session])
			}
		}
	}
}

// TestNewDevice gets the running session at its current index, and nobody else is
// given it again.
func TestNewDevice(t *testing.T) {
	w := newWorld(t)
	one := w.add(bob, "B1")
	h := w.handle()
	h.shareAll(bob)
	first := h.mustEncrypt("first")
	two := w.add(bob, "B2")
	h.changes(bob)
	if _, err := h.encrypt("not yet"); !errors.Is(err, rooms.ErrNotShared) {
		t.Errorf("while it is not known what changed: %v", err)
	}
	h.shareAll(bob)
	second := h.mustEncrypt("second")
	w.wantReaders(first, "B1")
	w.wantReaders(second, "B1", "B2")
	if first.session != second.session || one.times[first.session] != 1 || two.times[first.session] != 1 {
		t.Errorf("sessions %s and %s, given %d and %d times", first.session, second.session, one.times[first.session], two.times[first.session])
	}
}

// TestKnownBefore: whose devices were followed before they were in the room holds it
// up all the same when they change.
func TestKnownBefore(t *testing.T) {
	w := newWorld(t)
	w.add(bob, "B1")
	h := w.handle()
	do(t, h.account, func(tx *txn.Tx) error { return devices.Track(tx, bob, alice) })
	h.sendAll()
	h.shareAll(bob)
	w.add(bob, "B2")
	h.changes(bob)
	if _, err := h.encrypt("not yet"); !errors.Is(err, rooms.ErrNotShared) {
		t.Errorf("while it is not known what changed: %v", err)
	}
	h.shareAll(bob)
	w.wantReaders(h.mustEncrypt("to both"), "B1", "B2")
}

// TestLostRequest: a request with the key that is lost, or cannot be read any more, is
// not waited for: another session takes its place.
func TestLostRequest(t *testing.T) {
	for name, lose := range map[string]func(h *handle, id outbox.ID){
		"missing": func(h *handle, id outbox.ID) {
			do(t, h.account, func(tx *txn.Tx) error { return records.DeleteRequest(tx, id) })
		},
		"damaged":   func(h *handle, id outbox.ID) { harm(t, h.account, false, keyOf(id)) },
		"set aside": func(h *handle, id outbox.ID) { harm(t, h.account, true, keyOf(id)) },
	} {
		w := newWorld(t)
		w.add(bob, "B1")
		h := w.handle()
		h.share(bob)
		h.sendAll()
		h.share(bob)
		h.sendAll()
		s := h.share(bob)
		if s.Done || len(s.Requests) != 1 {
			t.Fatalf("%s: %+v, want one request with the key", name, s)
		}
		lose(h, s.Requests[0])
		again := h.share(bob)
		all, err := h.box.Take(t.Context(), again.Requests...)
		must(t, err)
		for _, r := range all {
			h.answer(r)
		}
		if last := h.share(bob); !last.Done || last.Session == s.Session {
			t.Errorf("%s: %+v, want another session than %s that is shared", name, last, s.Session)
		}
		w.wantReaders(h.mustEncrypt("to bob"), "B1")
	}
}

func keyOf(id outbox.ID) func(tx *txn.Tx) (string, error) {
	return func(tx *txn.Tx) (string, error) { return records.Requests.Key(tx, id) }
}

// TestLongerList: who is on the list that a caller shares with holds it up, also where
// all of a shorter list have the key and nothing was heard of a change: somebody who is
// not known, somebody without a session, and somebody whom the caller allows only now.
func TestLongerList(t *testing.T) {
	defer func(s rooms.Settings) { settings = s }(settings)
	allowed := map[matrix.DeviceID]bool{"B1": true}
	byCaller := rooms.Settings{Allow: func(c rooms.Candidate) bool { return allowed[c.Device.Device] }}
	for name, c := range map[string]struct {
		settings rooms.Settings
		known    bool // bob's devices are
		before   []matrix.UserID
	}{
		"not known":       {settings: rooms.Settings{Strategy: group.AllDevices}},
		"no session":      {settings: rooms.Settings{Strategy: group.AllDevices}, known: true},
		"not allowed yet": {settings: byCaller, known: true, before: []matrix.UserID{bob}},
	} {
		settings = c.settings
		allowed["B1"] = false
		w := newWorld(t)
		w.add(bob, "B1")
		h := w.handle()
		if c.known {
			do(t, h.account, func(tx *txn.Tx) error { return devices.Track(tx, bob) })
		}
		h.sendAll()
		first := h.shareAll(c.before...)
		h.sendAll()
		h.mustEncrypt("to nobody")
		allowed["B1"] = true
		if s := h.share(bob); s.Done || len(s.Requests) != 1 {
			t.Errorf("%s: %+v, want one that is not done", name, s)
		}
		if _, err := w.handle().encrypt("not yet"); !errors.Is(err, rooms.ErrNotShared) {
			t.Errorf("%s: %v, want %v", name, err, rooms.ErrNotShared)
		}
		if s := h.shareAll(bob); s.Session != first.Session {
			t.Errorf("%s: the session is another one", name)
		}
		w.wantReaders(h.mustEncrypt("to bob"), "B1")
	}
}

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

// TestUnreachable: whose server does not answer holds nobody up after one try, is
// told once, and is given the key when there is a session.
func TestUnreachable(t *testing.T) {
	w := newWorld(t)
	w.add(carol, "C1")
	dead := w.add(bob, "B1")
	clear(dead.oneTime)
	w.down[dave] = true
	w.add(dave, "D1")
	h := w.handle()
	h.shareAll(bob, carol, dave)
	e := h.mustEncrypt("without bob and dave")
	w.wantReaders(e, "C1")
	h.sendAll()
	if fmt.Sprint(dead.notices) != "[m.no_olm]" {
		t.Errorf("bob was told %q", dead.notices)
	}
	must(t, h.rooms.Rotate(t.Context(), room))
	h.shareAll(bob, carol, dave)
	h.sendAll()
	if fmt.Sprint(dead.notices) != "[m.no_olm]" {
		t.Errorf("in another session bob was told %q", dead.notices)
	}
	// Both come back.
	w.refill(dead)
	w.down[dave] = false
	w.now = w.now.Add(20 * time.Minute)
	for range 3 {
		h.share(bob, carol, dave)
		h.sendAll()
	}
	h.shareAll(bob, carol, dave)
	w.wantReaders(h.mustEncrypt("with all"), "B1", "C1", "D1")
}

// TestReachedLater: as soon as a device that was not reached has answered, in whichever
// process, the next call gives it the key.
func TestReachedLater(t *testing.T) {
	w := newWorld(t)
	w.add(carol, "C1")
	dead := w.add(bob, "B1")
	clear(dead.oneTime)
	h, other := w.handle(), w.handle()
	h.shareAll(bob, carol)
	h.sendAll() // that there is no session with bob
	w.refill(dead)
	w.now = w.now.Add(15 * time.Minute)
	if s := h.share(bob, carol); !s.Done || len(s.Requests) != 1 {
		t.Fatalf("asking again: %+v", s)
	}
	if s := other.share(bob, carol); !s.Done {
		t.Fatalf("the other process waits for who was not reached: %+v", s)
	}
	w.wantReaders(other.mustEncrypt("while it is asked for"), "C1")
	other.sendAll()
	h.shareAll(bob, carol)
	w.wantReaders(h.mustEncrypt("with both"), "B1", "C1")
	if s := h.share(bob, carol); !s.Done || len(s.Requests) > 0 {
		t.Errorf("then there is more to do: %+v", s)
	}
}

// TestRefused: a request that the server does not take holds nobody up, and its
// devices are tried again later.
func TestRefused(t *testing.T) {
	for name, limits := range map[string][]memkv.Option{"large commits": nil, "small ones": {atFloor()}} {
		w := newWorld(t, limits...)
		w.add(bob, "B1")
		h := w.handle()
		w.refused[bob] = true
		h.shareAll(bob)
		e := h.mustEncrypt("nobody reads it")
		w.wantReaders(e)
		if s := h.share(bob); !s.Done || len(s.Requests) > 0 {
			t.Errorf("%s: it is tried again at once: %+v", name, s)
		}
		w.refused[bob] = false
		w.now = w.now.Add(16 * time.Minute)
		if s := h.share(bob); len(s.Requests) == 0 {
			t.Errorf("%s: it is not tried again: %+v", name, s)
		}
		h.shareAll(bob)
		again := h.mustEncrypt("bob reads it")
		w.wantReaders(again, "B1")
		if again.session != e.session {
			t.Errorf("%s: another session", name)
		}
		// It may have arrived: when the device goes there is another session.
		w.peers[device.Name{User: bob, Device: "B1"}].gone = true
		h.changes(bob)
		h.shareAll(bob)
		if last := h.mustEncrypt("without bob"); last.session == e.session {
			t.Errorf("%s: bob's device is gone, and the session is the same", name)
		}
	}
}

// TestStrategies: who may have the key, who is told why not, and a device that may
// not have it any more.
func TestStrategies(t *testing.T) {
	w := newWorld(t)
	w.add(bob, "B1")
	two := w.add(bob, "B2")
	h := w.handle()
	defer func(s rooms.Settings) { settings = s }(settings)
	allowed := map[matrix.DeviceID]bool{"B1": true, "B2": true}
	settings = rooms.Settings{Allow: func(c rooms.Candidate) bool { return allowed[c.Device.Device] }}
	h.shareAll(bob)
	first := h.mustEncrypt("to both")
	w.wantReaders(first, "B1", "B2")
	allowed["B2"] = false
	h.shareAll(bob)
	h.sendAll()
	second := h.mustEncrypt("to one")
	w.wantReaders(second, "B1")
	if fmt.Sprint(two.notices) != "[m.blacklisted]" {
		t.Errorf("B2 was told %q", two.notices)
	}
	allowed["B2"] = true
	h.shareAll(bob)
	third := h.mustEncrypt("to both again")
	w.wantReaders(third, "B1", "B2")
	if third.session != second.session {
		t.Error("a device that may have the key makes another session")
	}
	settings = rooms.Settings{Strategy: group.CrossSigned}
	h.shareAll(bob)
	h.sendAll()
	fourth := h.mustEncrypt("to nobody")
	w.wantReaders(fourth)
	if fmt.Sprint(two.notices) != "[m.blacklisted m.unverified]" {
		t.Errorf("B2 was told %q", two.notices)
	}
	for range 3 {
		h.share(bob)
		if n := h.sendAll(); n > 0 {
			t.Errorf("it is told again: %d requests", n)
		}
	}
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

// TestShareAtOnce: two handles that share at once make one session, and one request
// a device.
func TestShareAtOnce(t *testing.T) {
	w := newWorld(t)
	for i := range 6 {
		w.add(bob, matrix.DeviceID(fmt.Sprint("B", i)))
	}
	a, b := w.handle(), w.handle()
	a.share(bob)
	a.sendAll()
	a.share(bob)
	a.sendAll() // the sessions are there
	var done gosync.WaitGroup
	for _, h := range []*handle{a, b, a, b} {
		done.Go(func() { h.share(bob) })
	}
	done.Wait()
	a.sendAll()
	b.shareAll(bob)
	e := b.mustEncrypt("once")
	for _, p := range w.everybody() {
		if p.times[e.session] != 1 || len(p.keys) != 1 {
			t.Errorf("%s was given the key %d times, of %d sessions", p.name, p.times[e.session], len(p.keys))
		}
	}
}

// crowd is a handle in a room where so many devices of bob's are known, with a session
// each.
func crowd(t *testing.T, n int, limits ...memkv.Option) *handle {
	t.Helper()
	w := newWorld(t, limits...)
	h := w.handle()
	var known []device.Device
	for i := range n {
		keys := device.Keys{Name: device.Name{User: bob, Device: matrix.DeviceID(fmt.Sprintf("B%04d", i))}, Olm: true, Megolm: true}
		keys.Curve25519, keys.Ed25519 = somePublic(t), w.own.Fingerprint()
		known = append(known, device.Device{Claim: device.Claim{Keys: keys}, Seen: w.now})
	}
	w.know(h, bob, known)
	return h
}

// TestManyDevices: a thousand devices in one call, at most 250 a request, and one
// commit for each.
func TestManyDevices(t *testing.T) {
	n := 1000
	if testing.Short() || raceEnabled {
		n = 260
	}
	h := crowd(t, n)
	w := h.world
	commits := 0
	h = w.hooked(func(int) error { commits++; return nil })
	s := h.share(bob)
	if want := (n + rooms.MostMessages - 1) / rooms.MostMessages; len(s.Requests) != want || commits > want+6 {
		t.Errorf("%d requests, want %d, in %d commits", len(s.Requests), want, commits)
	}
	all, err := h.box.Outgoing(t.Context())
	must(t, err)
	got := 0
	for _, r := range all {
		var body struct {
			Messages map[matrix.UserID]map[matrix.DeviceID]json.RawMessage
		}
		must(t, json.Unmarshal(r.Body, &body))
		got += len(body.Messages[bob])
		must(t, h.box.MarkSent(t.Context(), r.ID, []byte("{}")))
	}
	if got != n {
		t.Errorf("%d of %d devices were given the key", got, n)
	}
	if s := h.share(bob); !s.Done {
		t.Errorf("after all: %+v", s)
	}
}

// TestEncryptWrites: a message to ten thousand devices writes one record of less than a
// kilobyte, and checks four.
func TestEncryptWrites(t *testing.T) {
	n := 10_000
	if testing.Short() || raceEnabled {
		n = 260
	}
	w := crowd(t, n).world
	w.handle().shareAll(bob)
	var last kv.Batch
	h := w.watched(func(b *kv.Batch) { last = *b })
	h.mustEncrypt("text")
	size := 0
	for _, write := range last.Writes {
		size += len(write.Key) + len(write.Value)
	}
	if len(last.Writes) != 1 || size > 1<<10 || len(last.Reads)+len(last.Scans) > 4 {
		t.Errorf("%d writes of %d bytes, %d checks", len(last.Writes), size, len(last.Reads)+len(last.Scans))
	}
}

// TestIndexOnce: however many handles encrypt, each index is used once.
func TestIndexOnce(t *testing.T) {
	w := newWorld(t)
	w.add(bob, "B1")
	defer func(s rooms.Settings) { settings = s }(settings)
	w.handle().shareAll(bob)
	const each = 10
	used := make([][]sentEvent, 8)
	var done gosync.WaitGroup
	for i := range used {
		h := w.handle()
		done.Go(func() {
			for range each {
				e, err := h.encrypt("text")
				if err != nil {
					t.Error(err)
					return
				}
				used[i] = append(used[i], e)
			}
		})
	}
	done.Wait()
	seen := map[uint32]bool{}
	for _, events := range used {
		for _, e := range events {
			if seen[e.message.Index] {
				t.Errorf("index %d was used twice", e.message.Index)
			}
			seen[e.message.Index] = true
		}
	}
	if len(seen) != each*len(used) {
		t.Errorf("%d indices of %d messages", len(seen), each*len(used))
	}
}

// TestContent: what stays outside, and what is no content.
func TestContent(t *testing.T) {
	w := newWorld(t)
	b := w.add(bob, "B1")
	h := w.handle()
	h.shareAll(bob)
	raw, err := h.rooms.Encrypt(t.Context(), room, "m.room.message", []byte(`{"body":"hi <b>","n":12345678901234567890,"m.relates_to":{"event_id":"$a"}}`), rooms.Form{})
	must(t, err)
	var outer map[string]any
	must(t, json.Unmarshal(raw, &outer))
	if fmt.Sprint(outer["m.relates_to"]) != "map[event_id:$a]" || outer["algorithm"] != "m.megolm.v1.aes-sha2" ||
		outer["device_id"] != "PHONE" || outer["sender_key"] != w.own.Identity().String() {
		t.Errorf("the event is %s", raw)
	}
	e := h.parse(raw)
	text, err := b.keys[e.session].Decrypt(e.message)
	var inner struct {
		Type    string
		Room    matrix.RoomID `json:"room_id"`
		Content map[string]json.RawMessage
	}
	must(t, err)
	must(t, json.Unmarshal(text, &inner))
	if inner.Type != "m.room.message" || inner.Room != room || string(inner.Content["n"]) != "12345678901234567890" || len(inner.Content) != 2 {
		t.Errorf("the payload is %s", text)
	}
	for _, content := range []string{"", "null", "7", "[]", `"a"`, "{", "{} {}"} {
		if _, err := h.rooms.Encrypt(t.Context(), room, "m.room.message", []byte(content), rooms.Form{}); !errors.Is(err, roomkeys.ErrContent) {
			t.Errorf("%q: %v", content, err)
		}
	}
	if _, err := h.rooms.Encrypt(t.Context(), room, "", []byte("{}"), rooms.Form{}); !errors.Is(err, roomkeys.ErrContent) {
		t.Errorf("no type: %v", err)
	}
}
