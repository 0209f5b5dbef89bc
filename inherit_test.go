package pawl_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/pawlkv/pawl"
	"github.com/pawlkv/pawl/account"
	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// heir is a store with a phone that has read events of some sessions, and a tablet that
// takes its place. A commit takes little.
type heir struct {
	*device         // the phone
	tablet  *device // of the same user and store
	senders []*roomSender
	read    []pawl.RoomEvent
}

const (
	heirSessions = 3
	heirEvents   = 20 // of each
)

func newHeir(t *testing.T) *heir {
	t.Helper()
	h := &heir{device: newDevice(t, memkv.New(memkv.WithLimits(kv.Floor())), "@alice:example.org")}
	tablet := *h.device
	h.tablet = &tablet
	var err error
	if h.tablet.Machine, err = h.store.Create(h.ctx, "@alice:example.org", "TABLET"); err != nil {
		t.Fatal(err)
	}
	for i := range heirSessions {
		s := newRoomSender(t)
		key := s.exported()
		key.Source.Provenance = group.Direct
		if _, err := h.PutRoomKeys(h.ctx, []pawl.RoomKey{key}); err != nil {
			t.Fatal(err)
		}
		for n := range heirEvents {
			e := s.event(matrix.EventID(fmt.Sprintf("$%d-%d", i, n)))
			if _, err := h.DecryptRoomEvent(h.ctx, e); err != nil {
				t.Fatal(err)
			}
			h.read = append(h.read, e)
		}
		h.senders = append(h.senders, s)
	}
	return h
}

// inherit has the tablet take the phone's place, in a store.
func (h *heir) inherit(s *pawl.Store) (pawl.ImportedRoomKeys, error) {
	h.t.Helper()
	m, err := s.Machine(h.ctx, "@alice:example.org", "TABLET")
	if err != nil {
		h.t.Fatal(err)
	}
	return m.InheritRoomKeys(h.ctx, h.id.UserID, h.id.DeviceID)
}

// has fails the test unless the tablet reads what the phone has, and as nothing else.
func (h *heir) has() {
	h.t.Helper()
	for _, e := range h.read {
		other := e
		other.ID += "-again"
		if _, err := h.tablet.DecryptRoomEvent(h.ctx, other); !errors.Is(err, pawl.ErrReplay) {
			h.t.Errorf("%s as another event: %v, want ErrReplay", e.ID, err)
		}
		if got, err := h.tablet.DecryptRoomEvent(h.ctx, e); err != nil || got.Provenance != group.Direct {
			h.t.Errorf("%s: of %s, %v", e.ID, got.Provenance, err)
		}
	}
	for _, s := range h.senders {
		if _, err := h.tablet.DecryptRoomEvent(h.ctx, s.event("$new")); err != nil {
			h.t.Errorf("a new event: %v", err)
		}
	}
	h.tablet.intact()
	h.intact()
}

// TestInheritRoomKeys: a device in the place of another reads what that one has, and
// refuses what that one would refuse, also when the other one is gone.
func TestInheritRoomKeys(t *testing.T) {
	h := newHeir(t)
	if done, err := h.inherit(h.store); err != nil || done.New != heirSessions || len(done.Refused) > 0 {
		t.Errorf("%+v, %v", done, err)
	}
	if done, err := h.inherit(h.store); err != nil || done.Same != heirSessions || done.New+done.Better+len(done.Refused) > 0 {
		t.Errorf("again: %+v, %v", done, err)
	}
	h.has()
	if err := h.store.Delete(h.ctx, h.id.UserID, h.id.DeviceID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.inherit(h.store); !errors.Is(err, pawl.ErrNoAccount) {
		t.Errorf("of one that is gone: %v, want ErrNoAccount", err)
	}
	h.device = h.tablet
	h.has()
}

// TestInheritingIsInterrupted: after each of its commits it goes on when it is called
// again.
func TestInheritingIsInterrupted(t *testing.T) {
	most, dead := 0, errors.New("dead")
	for n := 0; n <= most; n++ {
		h, made := newHeir(t), 0
		dying := faulty.Wrap(h.kv, faulty.Hooks{Before: func(_ context.Context, c faulty.Call) error {
			if c.Op == faulty.Commit && len(c.Batch.Writes) > 0 {
				if made++; n > 0 && made > n {
					return dead
				}
			}
			return nil
		}})
		_, err := h.inherit(openStore(t, dying, testKey))
		if n == 0 {
			most = made - 1 // whole
		} else if !errors.Is(err, dead) {
			t.Fatalf("after %d commits of %d: %v", n, most+1, err)
		}
		if found, err := h.store.Check(t.Context()); err != nil || len(found) > 0 {
			t.Errorf("after %d commits: check %v, %v", n, found, err)
		}
		if _, err := h.inherit(h.store); err != nil {
			t.Errorf("after %d commits: %v", n, err)
		}
		h.has()
	}
	if most < 2 {
		t.Errorf("it is %d commits", most+1)
	}
}

// TestInheritingFromDamage: a key that cannot be read is refused, and the rest inherited.
// An account that was moved to another store gives nothing.
func TestInheritingFromDamage(t *testing.T) {
	h := newHeir(t)
	var broken string
	for key := range dump(t, h.kv) {
		if strings.Contains(key, "/group-in/") {
			broken = key
			break
		}
	}
	commit(t, h.kv, kv.Write{Key: broken, Value: []byte("broken")})
	done, err := h.inherit(h.store)
	if err != nil || done.New != heirSessions-1 || len(done.Refused) != 1 || !errors.Is(done.Refused[0].Err, kv.ErrCorrupt) {
		t.Errorf("%+v, %v", done, err)
	}

	m := newMoving(t)
	tablet, err := m.store.Machine(t.Context(), "@alice:example.org", "TABLET")
	if err != nil {
		t.Fatal(err)
	}
	if err := m.store.Retire(t.Context(), m.copy(), elsewhere); err != nil {
		t.Fatal(err)
	}
	if _, err := tablet.InheritRoomKeys(t.Context(), m.phone.id.UserID, m.phone.id.DeviceID); !errors.Is(err, account.ErrRetired) {
		t.Errorf("of one that was moved: %v, want ErrRetired", err)
	}
}
