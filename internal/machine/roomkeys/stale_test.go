package roomkeys_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/machine/roomkeys"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
)

// TestFailuresAreCurrent: what a process remembers of what was not there is no
// reason to say that it is not there.
func TestFailuresAreCurrent(t *testing.T) {
	h, s := newHome(t, memkv.New()), newSender(t, bob)
	one, two := h.beside(), h.beside()
	key := s.roomKey(room)
	late := s.session.Key()
	e := s.encrypt(room, "$1", text(room, "one"))
	later := s.roomKey(room)
	fails := func(want error) {
		t.Helper()
		if _, err := one.keys.Decrypt(t.Context(), e); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	fails(group.ErrNoKey)
	must(t, second(two.receive(s.from(true), roomkeys.RoomKey, later)))
	fails(group.ErrTooEarly)
	must(t, second(two.receive(s.from(true), roomkeys.RoomKey, key)))
	if _, err := one.keys.Decrypt(t.Context(), e); err != nil {
		t.Errorf("the key is there: %v", err)
	}
	must(t, second(two.keys.Forget(t.Context(), roomkeys.Forgetting{Session: s.id(), Below: 1})))
	fails(group.ErrForgotten)
	done, err := one.keys.Import(t.Context(), []roomkeys.Import{{Room: room, Key: late, Source: group.Source{Provenance: group.File}}})
	if err != nil || h.first(s.id()) != 1 {
		t.Errorf("%+v, %v, from %d", done, err, h.first(s.id()))
	}
}

// older is a store that an older program has open.
type older struct{ kv.Store }

// Raise implements kv.Raiser.
func (older) Raise(context.Context) (kv.Format, error) { return kv.Format1, nil }

// TestFormat1: an account of format 1 has no place for room keys, and is raised when
// they come if it can be.
func TestFormat1(t *testing.T) {
	engine := memkv.New()
	old, s := newHome(t, older{engine}), newSender(t, bob)
	before := old.size()
	keys := copies(t, []*sender{s}, 0, group.File)
	e := s.encrypt(room, "$1", text(room, "one"))
	_, receiving := old.receive(s.from(true), roomkeys.RoomKey, s.roomKey(room))
	_, importing := old.keys.Import(t.Context(), keys)
	_, reading := old.keys.Decrypt(t.Context(), e)
	for _, err := range []error{receiving, importing, reading} {
		if !errors.Is(err, machine.ErrFormat1) {
			t.Errorf("%v, want %v", err, machine.ErrFormat1)
		}
	}
	if n, err := old.keys.Forget(t.Context(), roomkeys.Forgetting{Room: room}); n != 0 || err != nil || old.size() != before {
		t.Errorf("%d, %v, %d records, want %d", n, err, old.size(), before)
	}
	now := &home{TB: t, engine: engine, now: old.now}
	now.account = now.open(engine)
	now.keys = roomkeys.NewKeys(now.account)
	if done, err := now.keys.Import(t.Context(), keys); err != nil || done.New != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := now.keys.Decrypt(t.Context(), e); err != nil {
		t.Error(err)
	}
}

// TestKeptOnAFloor: the engine that takes least takes a room key of a device that
// nobody knows, with all that it may take of a commit.
func TestKeptOnAFloor(t *testing.T) {
	h, s := newHome(t, smallest()), newSender(t, bob)
	s.user = "@" + matrix.UserID(fmt.Sprintf("%0230d", 0)) + ":example.org"
	for range records.MaxUnsettled {
		s.rotate()
		must(t, second(h.receive(s.from(false), roomkeys.RoomKey, s.roomKey(room))))
	}
	h.knows(s, "SENDER")
	must(t, h.keys.Settle(t.Context(), []matrix.UserID{s.user}))
	if n, err := h.keys.Forget(t.Context(), roomkeys.Forgetting{Device: s.curve}); n != records.MaxUnsettled || err != nil {
		t.Errorf("%d forgotten, %v", n, err)
	}
}
