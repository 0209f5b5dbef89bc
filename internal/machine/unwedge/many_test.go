package unwedge_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/pawlkv/pawl/group"
	"github.com/pawlkv/pawl/internal/machine/records"
	"github.com/pawlkv/pawl/internal/record"
	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
	"github.com/pawlkv/pawl/matrix"
	"github.com/pawlkv/pawl/txn"
)

// gaveAll is gave for one session and many devices.
func (h *home) gaveAll(to []*home, room matrix.RoomID) {
	h.Helper()
	id := h.gave(to[0], room, 0, false)
	h.do(func(tx *txn.Tx) error {
		v, err := h.account.Active(tx)
		must(h, err)
		at, err := h.account.Moment(tx, v, 0)
		must(h, err)
		for _, o := range to[1:] {
			must(h, records.Shares.Put(tx, group.Share{
				Room: room, Session: id, User: o.name.User, Device: o.name.Device, Key: o.id.Curve25519,
				Outcome: group.Given, Over: h.sessions(o)[0].ID(), At: record.Moment{Time: at.Time, Order: at.Order},
			}))
		}
		return nil
	})
}

// TestManyAtOnce: many peers come apart at once. What is looked up takes few round trips
// for each, no call goes on until all is given, and in the end each has one session more,
// and each key once.
func TestManyAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		limits  kv.Limits
		commits int
	}{"embedded": {kv.Embedded(), 30}, "floor": {kv.Floor(), 70}} {
		t.Run(name, func(t *testing.T) { testManyAtOnce(t, c.limits, c.commits) })
	}
}

func testManyAtOnce(t *testing.T, limits kv.Limits, most int) {
	const peers, rooms = 40, 20
	w := newWorld(t)
	phone := w.home(alice, "PHONE", memkv.WithLimits(limits))
	var all []*home
	for i := range peers {
		all = append(all, w.home(matrix.UserID(fmt.Sprintf("@u%d:example.org", i)), "LAPTOP"))
		w.meet(phone, all[i])
	}
	w.later(2 * time.Hour)
	for i := range rooms {
		phone.gaveAll(all, matrix.RoomID(fmt.Sprintf("!r%d:example.org", i)))
	}
	gets, commits := 0, 0
	counted := phone.beside(faulty.Wrap(phone.engine, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		switch {
		case call.Op == faulty.Get:
			gets++
		case call.Op == faulty.Commit && len(call.Batch.Writes) > 0:
			commits++
		}
		return nil
	}}))
	var events []event
	for _, o := range all {
		events = append(events, o.broken(phone))
	}
	counted.take(events...)
	got, mostGets, mostCommits := map[*home]int{}, 0, 0
	for range 100 {
		gets, commits = 0, 0
		requests := counted.outgoing()
		mostGets, mostCommits = max(mostGets, gets), max(mostCommits, commits)
		if len(requests) == 0 {
			break
		}
		for _, r := range requests {
			counted.post(r)
		}
		for _, o := range all {
			got[o] += len(w.got(o))
		}
	}
	if mostGets > 60*peers || mostCommits > most {
		t.Errorf("one call reads %d times and makes %d commits, for %d peers", mostGets, mostCommits, peers)
	}
	for _, o := range all {
		if n := len(counted.sessions(o)); got[o] != rooms || n != 2 {
			t.Errorf("%s has %d keys and %d sessions, want %d and 2: %v", o.name.User, got[o], n, rooms, slices.Sorted(maps.Values(got)))
			break
		}
	}
	counted.check()
}
