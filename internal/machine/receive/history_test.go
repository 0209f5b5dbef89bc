package receive

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/pawlkv/pawl/kv"
	"github.com/pawlkv/pawl/kv/kvtest/faulty"
	"github.com/pawlkv/pawl/kv/memkv"
)

// queue is a server: what it has for the phone, in order. A response to a token has
// all that came after it, and its token covers all that is there.
type queue struct {
	testing.TB
	phone  *phone
	bob    *peer
	events []any // each with a room key of the name of its number
}

func (q *queue) send(n int) {
	for range n {
		q.events = append(q.events, q.bob.roomKey(q.phone, fmt.Sprint(len(q.events))))
	}
}

// answer is the response to a ticket of now, as it stands, with so many events at
// most.
func (q *queue) answer(t Ticket, most int) []byte {
	from := q.position(t.Since)
	to := min(len(q.events), from+most)
	return encode(q, map[string]any{
		"next_batch": fmt.Sprint("T", to), "to_device": map[string]any{"events": append([]any{}, q.events[from:to]...)},
		"rooms":        map[string]any{"join": q.rooms(from, to)},
		"device_lists": map[string]any{"changed": []string{"@bob:example.org"}},
	})
}

// rooms are what happened in rooms meanwhile: the state of one room as it is after
// each event.
func (q *queue) rooms(from, to int) map[string]any {
	rooms := map[string]any{}
	for i := from; i < to; i++ {
		rooms[fmt.Sprintf("!%d:example.org", i)] = map[string]any{"state": map[string]any{"events": []any{
			map[string]any{"type": "m.room.member", "state_key": "@carol:example.org", "content": map[string]any{"membership": "leave"}},
		}}}
	}
	return rooms
}

func (q *queue) position(token string) (n int) {
	if token != "" {
		if _, err := fmt.Sscanf(token, "T%d", &n); err != nil {
			q.Fatal(err)
		}
	}
	return n
}

// holds checks what must hold at any time: all events and rooms that the stored token
// covers are committed, each event once.
func (q *queue) holds(at string) {
	q.Helper()
	token := q.position(q.phone.state().Since)
	for i := range q.events {
		n := q.phone.effect(fmt.Sprint("m.room_key ", i))
		rooms := q.phone.effect(fmt.Sprintf("room !%d:example.org", i))
		if n > 1 || i < token && (n != 1 || rooms == 0) {
			q.Fatalf("%s: the token covers %d events; event %d was taken %d times, its room %d times", at, token, i, n, rooms)
		}
	}
}

// dying is a store on which the process dies at the n-th commit that writes, from 0.
func dying(store kv.Store, at int) kv.Store {
	var n atomic.Int64
	return faulty.Wrap(store, faulty.Hooks{Before: func(_ context.Context, call faulty.Call) error {
		if call.Op == faulty.Commit && len(call.Batch.Writes) > 0 && n.Add(1) > int64(at) {
			return kv.ErrDiskFull
		}
		return nil
	}})
}

const never = 1000

// TestHistories: three calls of three processes, each with a ticket from before any of
// the others or after it, each dying at any commit or at none, on engines that take
// little and much. Then a process that lives does the rest.
func TestHistories(t *testing.T) {
	for name, limits := range map[string]kv.Limits{"floor": kv.Floor(), "usual": memkv.New().Limits()} {
		t.Run(name, func(t *testing.T) {
			deaths := []int{0, 1, never}
			if limits.Checks > kv.FloorChecks {
				deaths = []int{0, never}
			}
			for _, first := range deaths {
				for _, second := range deaths {
					for _, tickets := range [][2]int{{0, 0}, {0, 1}, {1, 0}, {1, 1}, {1, 2}} {
						testHistory(t, limits, []int{first, second, never}, tickets)
					}
				}
			}
		})
	}
}

// testHistory makes the calls. The ticket of the second and of the third was taken
// after so many calls.
func testHistory(t *testing.T, limits kv.Limits, deaths []int, tickets [2]int) {
	store := memkv.New(memkv.WithLimits(limits))
	alice := newPhone(t, store)
	q := &queue{TB: t, phone: alice, bob: newPeer(t, "@bob:example.org", "LAPTOP")}
	q.send(3)
	at := fmt.Sprint("deaths ", deaths, ", tickets after ", tickets)
	taken := []int{0, tickets[0], tickets[1]}
	bodies := map[int][]byte{}
	given := map[int]Ticket{}
	for call := range 3 {
		for other := range 3 { // those whose time it is
			if taken[other] == call {
				given[other] = alice.ticket()
				bodies[other] = q.answer(given[other], 3+other)
				q.send(1)
			}
		}
		body, ok := bodies[call]
		if !ok {
			t.Fatal("no ticket for call ", call)
		}
		before := q.position(alice.state().Since)
		_, err := alice.on(dying(store, deaths[call])).Sync(t.Context(), given[call], body)
		if err != nil && !errors.Is(err, kv.ErrDiskFull) {
			t.Fatal(at, ": ", err)
		}
		q.holds(at)
		if after := q.position(alice.state().Since); after < before {
			t.Fatalf("%s: the token went back from %d to %d", at, before, after)
		}
	}
	for range 3 {
		ticket := alice.ticket()
		if _, err := alice.Sync(t.Context(), ticket, q.answer(ticket, never)); err != nil {
			t.Fatal(at, ": ", err)
		}
		q.holds(at)
	}
	if got := q.position(alice.state().Since); got != len(q.events) {
		t.Fatalf("%s: the token stays at %d of %d", at, got, len(q.events))
	}
	alice.intact()
}

var rounds = flag.Int("rounds", 10, "random histories")

// TestRandomHistories: several processes at once, with responses that overlap, come
// late and come twice, and deaths.
func TestRandomHistories(t *testing.T) {
	for seed := range *rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		limits := kv.Floor()
		if seed%2 == 1 {
			limits = memkv.New().Limits()
		}
		store := memkv.New(memkv.WithLimits(limits))
		alice := newPhone(t, store)
		q := &queue{TB: t, phone: alice, bob: newPeer(t, "@bob:example.org", "LAPTOP")}
		type sent struct {
			ticket Ticket
			body   []byte
		}
		var old []sent
		for range 4 {
			q.send(r.IntN(6))
			done := make(chan error)
			n := 1 + r.IntN(3)
			for range n {
				ticket := alice.ticket()
				next := sent{ticket, q.answer(ticket, 1+r.IntN(8))}
				if len(old) > 0 && r.IntN(3) == 0 {
					next = old[r.IntN(len(old))]
				}
				old = append(old, next)
				death := never
				if r.IntN(2) == 0 {
					death = r.IntN(6)
				}
				process := alice.on(dying(store, death))
				go func() {
					_, err := process.Sync(context.Background(), next.ticket, next.body)
					done <- err
				}()
			}
			for range n {
				if err := <-done; err != nil && !errors.Is(err, kv.ErrDiskFull) {
					t.Fatalf("seed %d: %v", seed, err)
				}
			}
			q.holds(fmt.Sprint("seed ", seed))
		}
		for q.position(alice.state().Since) < len(q.events) {
			ticket := alice.ticket()
			out, err := alice.Sync(t.Context(), ticket, q.answer(ticket, never))
			if err != nil || !out.Advanced {
				t.Fatalf("seed %d: %+v, %v", seed, out, err)
			}
		}
		q.holds(fmt.Sprint("seed ", seed, ", at the end"))
		alice.intact()
	}
}
