package rooms_test

import (
	"encoding/json"
	"fmt"
	gosync "sync"
	"testing"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

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
