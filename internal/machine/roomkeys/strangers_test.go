package roomkeys_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/internal/machine/upkeep"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// TestMarksOfNothing: a device of which no session is left is not marked for ever.
func TestMarksOfNothing(t *testing.T) {
	h, s := newHome(t, memkv.New()), newSender(t, bob)
	marks := func(want int) {
		t.Helper()
		_, err := upkeep.Sweep(t.Context(), h.account, records.Kinds(), h.now)
		must(t, err)
		n := 0
		h.do(func(tx *txn.Tx) error {
			n = 0
			for range records.Unsettleds.Scan(tx) {
				n++
			}
			return nil
		})
		if n != want {
			t.Errorf("%d devices are marked, want %d", n, want)
		}
	}
	must(t, second(h.receive(s.from(false), roomkeys.RoomKey, s.roomKey(room))))
	marks(1)
	h.do(func(tx *txn.Tx) error { return records.GroupIns.Delete(tx, s.id()) })
	marks(0)
	must(t, second(h.receive(s.from(false), roomkeys.RoomKey, s.roomKey(room))))
	h.knows(s, "SENDER")
	marks(0)
}

// TestReadWhileSwept: whatever happens to a session between the look that finds it idle
// and the commit that would delete it keeps it: an event that is read, another copy, a
// sync that tells of its room.
func TestReadWhileSwept(t *testing.T) {
	var early group.Key // of the session that is to go
	for name, happens := range map[string]func(h *home, s *sender) error{
		"an event is read": func(h *home, s *sender) error {
			return second(h.keys.Decrypt(t.Context(), s.encrypt(room, "$1", text(room, "hello"))))
		},
		"an earlier copy is imported": func(h *home, _ *sender) error {
			key := roomkeys.Import{Room: room, Key: early, Source: group.Source{Provenance: group.File}}
			return second(h.keys.Import(t.Context(), []roomkeys.Import{key}))
		},
		"the room is told of": func(h *home, _ *sender) error {
			return h.account.Do(t.Context(), func(tx *txn.Tx) error { return records.Rooms.Put(tx, records.Room{ID: room}) })
		},
		"nothing": nil,
	} {
		engine := memkv.New()
		h := newHome(t, engine)
		mallory := newSender(t, "@mallory:example.org")
		h.knows(mallory, "M")
		first := *mallory // the oldest, which is to go
		early = first.session.Key()
		first.encrypt(room, "$0", text(room, "before"))
		must(t, second(h.receive(first.from(true), roomkeys.RoomKey, first.roomKey(room))))
		h.do(func(tx *txn.Tx) error {
			v, err := h.account.Active(tx)
			must(t, err)
			for range records.MaxIdle {
				s := *mallory
				s.rotate()
				_, err := h.keys.Receive(tx, v, 0, s.from(true), roomkeys.RoomKey, roomkeys.Read(roomkeys.RoomKey, raw(t, s.roomKey(other))))
				must(t, err)
			}
			return nil
		})
		happened := false
		sweeping := *h
		sweeping.engine = faulty.Wrap(engine, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
			deletes := call.Op == faulty.Commit && slices.ContainsFunc(call.Batch.Writes, func(w kv.Write) bool {
				return w.Delete && strings.Contains(w.Key, "/group-in/")
			})
			if deletes && !happened && happens != nil {
				happened = true
				must(t, happens(h, &first))
			}
			return nil
		}})
		sweeping.account = sweeping.open(sweeping.engine)
		before := h.size()
		_, err := upkeep.Sweep(t.Context(), sweeping.account, records.Kinds(), h.now)
		must(t, err)
		_, kept := h.stored(first.id())
		if happens == nil {
			if after := h.size(); after >= before {
				t.Errorf("%s: %d records are left of %d", name, after, before)
			}
			continue
		}
		if !happened {
			t.Errorf("%s: nothing was deleted", name)
		}
		if kept {
			must(t, second(h.keys.Decrypt(t.Context(), first.encrypt(room, "$2", text(room, "again")))))
		} else {
			t.Errorf("%s: the session is gone", name)
		}
	}
}

// TestIdleSessionsAreBounded: of the keys that a device sends of rooms that nobody
// knows so many stay after a sweep, the newest, and all that there is a reason to keep.
func TestIdleSessionsAreBounded(t *testing.T) {
	h := newHome(t, memkv.New())
	mallory := newSender(t, "@mallory:example.org")
	h.knows(mallory, "M")
	var sent []*sender
	send := func(n int, in matrix.RoomID) {
		h.do(func(tx *txn.Tx) error { // as a batch does
			v, err := h.account.Active(tx)
			must(t, err)
			for range n {
				s := *mallory
				s.rotate()
				_, err := h.keys.Receive(tx, v, 0, s.from(true), roomkeys.RoomKey, roomkeys.Read(roomkeys.RoomKey, raw(t, s.roomKey(in))))
				must(t, err)
				sent = append(sent, &s)
			}
			return nil
		})
	}
	const each = 60
	rooms := []matrix.RoomID{room, other, "!synced:example.org", "!read:example.org"}
	send(each, "!synced:example.org")
	send(each, "!read:example.org")
	reader := sent[len(sent)-1]
	send(1, "!forgotten:example.org")
	forgotten := sent[len(sent)-1]
	send(1, "!imported:example.org")
	imported := sent[len(sent)-1]
	send(40, room) // the oldest of those that are idle
	for range (records.MaxIdle + 99) / 100 {
		send(100, other)
	}
	h.do(func(tx *txn.Tx) error { return records.Rooms.Put(tx, records.Room{ID: "!synced:example.org"}) })
	_, err := h.keys.Decrypt(t.Context(), reader.encrypt("!read:example.org", "$1", text("!read:example.org", "hello")))
	must(t, err)
	_, err = h.keys.Forget(t.Context(), roomkeys.Forgetting{Session: forgotten.id()})
	must(t, err)
	_, err = h.keys.Import(t.Context(), []roomkeys.Import{{Room: "!imported:example.org", Key: imported.session.Key(), Source: group.Source{Provenance: group.File}}})
	must(t, err)
	for range 2 { // the second sweep finds nothing
		_, err = upkeep.Sweep(t.Context(), h.account, records.Kinds(), h.now)
		must(t, err)
		left := map[matrix.RoomID]int{}
		for _, s := range sent {
			if in, ok := h.stored(s.id()); ok {
				left[in.Room()]++
			}
		}
		idle := left[room] + left[other] + left["!imported:example.org"]
		if left["!synced:example.org"] != each || left["!read:example.org"] != each || left["!forgotten:example.org"] != 1 || idle != records.MaxIdle || left[room] != 0 {
			t.Errorf("left of %v: %v", rooms, left)
		}
	}
}
