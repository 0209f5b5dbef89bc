package rooms_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/devices"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/rooms"
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
