package rooms_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/pawlkv/pawl/device"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/outbox"
	"github.com/pawlkv/pawl/internal/machine/rooms"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// meanwhile are things that happen in another process while a key is shared, and who
// may read what is encrypted afterwards.
var meanwhile = map[string]struct {
	do      func(h *handle, m *moments) error
	readers []string
	rotates bool // nothing is encrypted any more in the session that there was
}{
	"a member leaves": {func(h *handle, _ *moments) error {
		sync(h.T, h.account, false, member(bob, "leave"))
		return nil
	}, []string{"C1"}, true},
	"a device goes": {func(h *handle, _ *moments) error {
		h.peers[device.Name{User: bob, Device: "B1"}].gone = true
		h.changes(bob)
		return nil
	}, []string{"B2", "C1"}, true},
	"a device comes": {func(h *handle, _ *moments) error {
		h.add(bob, "B3")
		h.changes(bob)
		return nil
	}, []string{"B1", "B2", "B3", "C1"}, false},
	"the session is rotated": {func(h *handle, _ *moments) error {
		return h.rooms.Rotate(h.Context(), room)
	}, []string{"B1", "B2", "C1"}, true},
	"the history is hidden": {func(h *handle, _ *moments) error {
		sync(h.T, h.account, false, state("m.room.history_visibility", `{"history_visibility":"joined"}`))
		return nil
	}, []string{"B1", "B2", "C1"}, true},
	"another process encrypts": {func(h *handle, m *moments) error {
		m.try(h)
		return nil
	}, []string{"B1", "B2", "C1"}, false},
	"another process shares": {func(h *handle, m *moments) error {
		drive(h)
		m.try(h)
		return nil
	}, []string{"B1", "B2", "C1"}, false},
	"another process shares half": {func(h *handle, _ *moments) error {
		h.share(bob, carol)
		return nil
	}, []string{"B1", "B2", "C1"}, false},
	"the process is killed": {func(*handle, *moments) error {
		return kv.ErrClosed
	}, []string{"B1", "B2", "C1"}, false},
	"the disk is full": {func(*handle, *moments) error {
		return kv.ErrDiskFull
	}, []string{"B1", "B2", "C1"}, false},
}

// moments are events that were encrypted on the way.
type moments struct{ events []sentEvent }

func (m *moments) try(h *handle) {
	e, err := h.encrypt("on the way")
	switch {
	case err == nil:
		m.events = append(m.events, e)
	case !errors.Is(err, rooms.ErrNotShared) && !errors.Is(err, rooms.ErrRotate):
		h.Error(err)
	}
}

// TestMeanwhile: whatever happens before whichever commit of sharing, afterwards an
// event is read by those who are to read it and by nobody else; a session that was
// given up never comes back; and nobody is given a key twice.
func TestMeanwhile(t *testing.T) {
	step := 1
	if raceEnabled {
		step = 5 // it is slow, and one process runs at a time
	}
	for name, c := range meanwhile {
		for _, start := range []string{"nothing", "a session", "a session and a new device"} {
			for at := 1; ; at += step {
				what := fmt.Sprintf("%s, before commit %d, with %s", name, at, start)
				w, b := begun(t, start)
				var m moments
				before := group.SessionID{}
				if start != "nothing" {
					m.try(b)
					before = m.events[0].session
				}
				if start == "a session and a new device" {
					w.add(carol, "C2")
					b.changes(carol)
				}
				came := false
				a := w.hooked(func(n int) error {
					if n != at {
						return nil
					}
					came = true
					return c.do(b, &m)
				})
				drive(a)
				if !came {
					break
				}
				h := w.handle()
				w.now = w.now.Add(outbox.LeaseLife) // of what was handed out to who was killed
				h.shareAll(bob, carol)
				after := h.mustEncrypt("afterwards")
				want := slices.Clone(c.readers)
				if start == "a session and a new device" {
					want = append(want, "C2")
				}
				if got := w.readers(after); !slices.Equal(got, want) {
					t.Errorf("%s: the event is read by %q, want %q", what, got, want)
				}
				if c.rotates && after.session == before {
					t.Errorf("%s: the session came back", what)
				}
				used := map[string]bool{}
				for _, e := range append(m.events, after) {
					index := fmt.Sprint(e.session, e.message.Index)
					if used[index] {
						t.Errorf("%s: index %d was used twice", what, e.message.Index)
					}
					used[index] = true
				}
				for _, p := range w.everybody() {
					for id, n := range p.times {
						if n != 1 {
							t.Errorf("%s: %s was given the key of %s %d times", what, p.name.Device, id, n)
						}
					}
				}
				if t.Failed() {
					return
				}
			}
		}
	}
}

// begun returns a world on an engine of small commits, with what there is of the
// room's session.
func begun(t *testing.T, start string) (*world, *handle) {
	t.Helper()
	w := newWorld(t, memkv.WithLimits(kv.Floor()))
	w.add(bob, "B1")
	w.add(bob, "B2")
	w.add(carol, "C1")
	h := w.handle()
	sync(t, h.account, false, state("m.room.encryption", `{"algorithm":"m.megolm.v1.aes-sha2"}`))
	if start != "nothing" {
		h.shareAll(bob, carol)
	}
	return w, h
}

// drive shares and sends until it is done or something fails: the process was killed.
func drive(h *handle) {
	for range 6 {
		s, err := h.rooms.Share(h.Context(), room, []matrix.UserID{bob, carol}, settings)
		if err != nil || s.Done {
			return
		}
		all, err := h.box.Outgoing(h.Context())
		if err != nil {
			return
		}
		for _, r := range all {
			if h.tryAnswer(r) != nil {
				return
			}
		}
	}
}
